-- settings are checked when they are set

LOAD 'srm';
SET srm.locale = 'no such locale!!';
SET srm.locale = 'C';
SET srm.locale = 'es-u-ss-standard';
SET srm.locale = 'en_US';
RESET srm.locale;
SET srm.model = 'x/../y';
SET srm.model = '';
SET srm.model = '.hidden@12345678';
SET srm.model = 'not-there@12345678';
RESET srm.model;
SET srm.model_path = 'relative';
SET srm.template_date = 'tomorrow';
