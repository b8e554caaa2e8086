/*-------------------------------------------------------------------------
 *
 * tables.c
 *	  Words that decide whether a period ends a sentence.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/tables.h"

#include <stdlib.h>
#include <string.h>

#define NEVER SRM_ABBREVIATION_NEVER
#define NUMBER SRM_ABBREVIATION_NUMBER
#define CAPITAL SRM_ABBREVIATION_CAPITAL
#define STARTER SRM_ABBREVIATION_STARTER
#define VERSE SRM_ABBREVIATION_VERSE

const SrmAbbreviationEntry srm_abbreviations[] = {
	{"A.D", STARTER},
	{"A.M", STARTER},
	{"A.m", STARTER},
	{"ART", NUMBER},
	{"Abb", NUMBER},
	{"Abs", NUMBER},
	{"Add", NUMBER},
	{"Adm", NEVER},
	{"Admin", STARTER},
	{"Approx", NEVER},
	{"Apr", NUMBER},
	{"Apt", NUMBER},
	{"Art", NUMBER},
	{"Assn", CAPITAL},
	{"Aufl", NUMBER},
	{"Aug", NUMBER},
	{"Ave", STARTER},
	{"B.A", STARTER},
	{"B.C", STARTER},
	{"B.C.E", STARTER},
	{"B.Sc", STARTER},
	{"Bd", NUMBER},
	{"Bk", NUMBER},
	{"Bl", STARTER},
	{"Blvd", STARTER},
	{"Br", STARTER},
	{"Bros", CAPITAL},
	{"C.E", STARTER},
	{"Calif", CAPITAL},
	{"Cap", NUMBER},
	{"Capt", NEVER},
	{"Cf", NEVER},
	{"Ch", NUMBER},
	{"Chap", NUMBER},
	{"Chr", NUMBER},
	{"Cir", STARTER},
	{"Civ", STARTER},
	{"Cmdr", NEVER},
	{"Co", CAPITAL},
	{"Col", NEVER},
	{"Cong", STARTER},
	{"Cor", NUMBER},
	{"Corp", CAPITAL},
	{"Cos", CAPITAL},
	{"Cpl", NEVER},
	{"Crim", STARTER},
	{"D.C", STARTER},
	{"Dan", VERSE},
	{"Dec", NUMBER},
	{"Def", NUMBER},
	{"Dept", CAPITAL},
	{"Deut", NUMBER},
	{"Dist", STARTER},
	{"Dr", NEVER},
	{"Dra", NEVER},
	{"Drs", NEVER},
	{"Dña", NEVER},
	{"E.U", STARTER},
	{"E.g", NEVER},
	{"EE", STARTER},
	{"EXT", NEVER},
	{"Eccl", NUMBER},
	{"Ed", CAPITAL},
	{"Eph", NUMBER},
	{"Eq", NUMBER},
	{"Eqn", NUMBER},
	{"Eqs", NUMBER},
	{"Esq", STARTER},
	{"Esth", NUMBER},
	{"Etc", CAPITAL},
	{"Evid", STARTER},
	{"Ex", NUMBER},
	{"Exec", STARTER},
	{"Exod", NUMBER},
	{"Ext", NUMBER},
	{"Ezek", NUMBER},
	{"FIG", NUMBER},
	{"Feb", NUMBER},
	{"Fed", STARTER},
	{"Fig", NUMBER},
	{"Figs", NUMBER},
	{"Fla", CAPITAL},
	{"Fri", STARTER},
	{"Ft", STARTER},
	{"Gal", VERSE},
	{"Gen", STARTER},
	{"Gov", NEVER},
	{"Hab", NUMBER},
	{"Hag", VERSE},
	{"Heb", NUMBER},
	{"Hon", NEVER},
	{"Hos", NUMBER},
	{"Hr", NEVER},
	{"Hwy", STARTER},
	{"I.e", NEVER},
	{"INT", NEVER},
	{"Inc", CAPITAL},
	{"Incl", NEVER},
	{"Isa", VERSE},
	{"Jan", NUMBER},
	{"Jas", NUMBER},
	{"Jer", NUMBER},
	{"Jn", VERSE},
	{"Josh", NUMBER},
	{"Jr", STARTER},
	{"Jud", STARTER},
	{"Judg", NUMBER},
	{"Jul", NUMBER},
	{"Jun", NUMBER},
	{"Kap", NUMBER},
	{"Kgs", NUMBER},
	{"L.Rev", STARTER},
	{"LLC", CAPITAL},
	{"Lam", VERSE},
	{"Lem", NUMBER},
	{"Lev", NUMBER},
	{"Lk", VERSE},
	{"Ln", NUMBER},
	{"Lt", NEVER},
	{"Ltd", CAPITAL},
	{"M.A", STARTER},
	{"M.D", STARTER},
	{"M.Sc", STARTER},
	{"Maj", NEVER},
	{"Mal", VERSE},
	{"Mar", NUMBER},
	{"Mass", CAPITAL},
	{"Matt", VERSE},
	{"Max", NUMBER},
	{"Messrs", NEVER},
	{"Mfg", CAPITAL},
	{"Mic", VERSE},
	{"Min", NUMBER},
	{"Mk", VERSE},
	{"Mlle", NEVER},
	{"Mme", NEVER},
	{"Mon", STARTER},
	{"Mr", NEVER},
	{"Mrs", NEVER},
	{"Ms", NEVER},
	{"Msgr", NEVER},
	{"Mt", STARTER},
	{"Mx", NEVER},
	{"Nah", VERSE},
	{"Neh", NUMBER},
	{"No", NUMBER},
	{"Nos", NUMBER},
	{"Nov", NUMBER},
	{"Nr", NUMBER},
	{"Num", VERSE},
	{"N°", NUMBER},
	{"Nº", NUMBER},
	{"Núm", NUMBER},
	{"Obad", NUMBER},
	{"Oct", NUMBER},
	{"Op", NUMBER},
	{"P.M", STARTER},
	{"P.m", STARTER},
	{"Par", NUMBER},
	{"Para", NUMBER},
	{"Pet", VERSE},
	{"Ph.D", STARTER},
	{"PhD", STARTER},
	{"Phil", VERSE},
	{"Philem", NUMBER},
	{"Plc", CAPITAL},
	{"Pp", NUMBER},
	{"Pres", STARTER},
	{"Prof", NEVER},
	{"Prof.Dr", NEVER},
	{"Profs", NEVER},
	{"Prop", NUMBER},
	{"Prov", NUMBER},
	{"Ps", NUMBER},
	{"Pss", NUMBER},
	{"Pt", NUMBER},
	{"Pty", CAPITAL},
	{"Pub", STARTER},
	{"Pvt", NEVER},
	{"Rd", STARTER},
	{"Ref", NUMBER},
	{"Refs", NUMBER},
	{"Rep", STARTER},
	{"Rev", NEVER},
	{"Rm", NUMBER},
	{"Rom", NUMBER},
	{"Rptr", STARTER},
	{"SEC", NUMBER},
	{"Sam", VERSE},
	{"Sat", STARTER},
	{"Sec", STARTER},
	{"Secs", NUMBER},
	{"Sect", NUMBER},
	{"Sen", NEVER},
	{"Sep", NUMBER},
	{"Sept", NUMBER},
	{"Sess", STARTER},
	{"Sgt", NEVER},
	{"Sq", STARTER},
	{"Sr", STARTER},
	{"Sra", NEVER},
	{"St", STARTER},
	{"Stat", STARTER},
	{"Ste", NUMBER},
	{"Sun", STARTER},
	{"Supp", STARTER},
	{"Supt", NEVER},
	{"Tab", NUMBER},
	{"Tbsp", STARTER},
	{"Tel", NUMBER},
	{"Thess", NUMBER},
	{"Thm", NUMBER},
	{"Thu", STARTER},
	{"Thur", STARTER},
	{"Thurs", STARTER},
	{"Tim", VERSE},
	{"Tit", VERSE},
	{"Tue", STARTER},
	{"Tues", STARTER},
	{"U.K", STARTER},
	{"U.N", STARTER},
	{"U.S", STARTER},
	{"U.S.A", STARTER},
	{"UU", STARTER},
	{"Ud", STARTER},
	{"Uds", STARTER},
	{"Univ", CAPITAL},
	{"VOL", NUMBER},
	{"Ver", NUMBER},
	{"Vol", NUMBER},
	{"Vols", NUMBER},
	{"Wed", STARTER},
	{"Zech", NUMBER},
	{"Zeph", NUMBER},
	{"Ziff", NUMBER},
	{"a.k.a", NEVER},
	{"a.m", STARTER},
	{"al", STARTER},
	{"approx", NEVER},
	{"art", NUMBER},
	{"assn", CAPITAL},
	{"avg", CAPITAL},
	{"bros", CAPITAL},
	{"bzw", NEVER},
	{"c", NUMBER},
	{"ca", NEVER},
	{"cf", NEVER},
	{"ch", NUMBER},
	{"chap", NUMBER},
	{"co", CAPITAL},
	{"corp", CAPITAL},
	{"d.h", NEVER},
	{"dept", CAPITAL},
	{"e.G", NEVER},
	{"e.g", NEVER},
	{"ed", CAPITAL},
	{"eds", CAPITAL},
	{"eg", NEVER},
	{"eq", NUMBER},
	{"eqs", NUMBER},
	{"esp", NEVER},
	{"est", NUMBER},
	{"etc", CAPITAL},
	{"ex", NUMBER},
	{"ext", NUMBER},
	{"fig", NUMBER},
	{"figs", NUMBER},
	{"ft", STARTER},
	{"gal", STARTER},
	{"hr", STARTER},
	{"hrs", STARTER},
	{"i.e", NEVER},
	{"i.i.d", NEVER},
	{"ie", NEVER},
	{"inc", CAPITAL},
	{"incl", NEVER},
	{"lb", STARTER},
	{"lbs", STARTER},
	{"ltd", CAPITAL},
	{"max", NUMBER},
	{"min", NUMBER},
	{"no", NUMBER},
	{"nos", NUMBER},
	{"nr", NUMBER},
	{"n°", NUMBER},
	{"nº", NUMBER},
	{"núm", NUMBER},
	{"op", NUMBER},
	{"oz", STARTER},
	{"p", NUMBER},
	{"p.ex", NEVER},
	{"p.m", STARTER},
	{"para", NUMBER},
	{"pp", NUMBER},
	{"pág", NUMBER},
	{"qt", STARTER},
	{"ref", NUMBER},
	{"refs", NUMBER},
	{"resp", NEVER},
	{"s.t", NEVER},
	{"sec", NUMBER},
	{"sect", NUMBER},
	{"tbsp", STARTER},
	{"tel", NUMBER},
	{"thm", NUMBER},
	{"tsp", STARTER},
	{"u.a", NEVER},
	{"ul", NEVER},
	{"usw", CAPITAL},
	{"ver", NUMBER},
	{"viz", NEVER},
	{"vol", NUMBER},
	{"vs", NEVER},
	{"vv", NUMBER},
	{"w.r.t", NEVER},
	{"z.B", NEVER},
	{"г", NEVER},
	{"др", CAPITAL},
	{"и.т.д", CAPITAL},
	{"им", NEVER},
	{"проф", NEVER},
	{"рис", NUMBER},
	{"стр", NUMBER},
	{"т.д", CAPITAL},
	{"т.е", NEVER},
	{"т.к", NEVER},
	{"т.п", CAPITAL},
	{"ул", NEVER},
	{"डॉ", NEVER},
	{"पं", NEVER},
	{"प्रो", NEVER},
	{"श्री", NEVER},
};

const size_t srm_n_abbreviations = sizeof(srm_abbreviations) / sizeof(srm_abbreviations[0]);

const char *const srm_starters[] = {
	"A", "Additionally", "After", "Again", "All", "Also", "Although", "An",
	"And", "Another", "Any", "Are", "Aren", "As", "At", "Because", "Before",
	"Besides", "Billions", "Both", "But", "By", "Can", "Consequently",
	"Could", "Despite", "Did", "Didn", "Do", "Does", "Doesn", "Dozens", "Dr",
	"During", "Each", "Even", "Every", "Everyone", "Everything", "Finally",
	"First", "Firstly", "For", "From", "Furthermore", "Given", "Had", "Has",
	"Have", "He", "Hence", "Her", "Here", "His", "How", "However", "Hundreds",
	"I", "If", "In", "Indeed", "Instead", "Is", "Isn", "It", "Its", "Just",
	"Later", "Let", "Like", "Many", "May", "Maybe", "Meanwhile", "Might",
	"Millions", "Moreover", "Most", "Mr", "Mrs", "Ms", "Must", "My", "Next",
	"No", "Nobody", "Nor", "Not", "Note", "Nothing", "Now", "Often", "On",
	"Once", "One", "Only", "Or", "Otherwise", "Our", "Over", "Overall",
	"Perhaps", "Please", "Secondly", "Several", "She", "Should", "Since",
	"So", "Some", "Someone", "Something", "Sometimes", "Soon", "Still",
	"Such", "That", "The", "Their", "Then", "There", "Therefore", "These",
	"They", "This", "Those", "Though", "Thousands", "Thus", "To", "Today",
	"Tomorrow", "Under", "Unless", "Unlike", "Until", "Usually", "Was", "We",
	"Were", "What", "When", "Where", "Which", "While", "Who", "Whom", "Whose",
	"Why", "Will", "With", "Without", "Would", "Yes", "Yesterday", "Yet",
	"You", "Your"
};

const size_t srm_n_starters = sizeof(srm_starters) / sizeof(srm_starters[0]);

const char *const srm_labels[] = {
	"act", "answer", "appendix", "article", "book", "box", "case", "chapter",
	"choice", "class", "column", "corollary", "day", "definition", "event",
	"example", "exercise", "figure", "grade", "group", "hepatitis", "item",
	"lemma", "lesson", "level", "line", "method", "node", "option", "part",
	"phase", "plan", "player", "point", "problem", "proposition", "question",
	"reason", "row", "rule", "scenario", "scene", "section", "set", "side",
	"solution", "stage", "step", "table", "task", "team", "theorem", "tip",
	"type", "variable", "version", "vertex", "vitamin", "volume", "week"
};

const size_t srm_n_labels = sizeof(srm_labels) / sizeof(srm_labels[0]);

/* Names that end in a mark: Yahoo! Mail. */
static const char *const names[] = {
	"Airplane", "Chips Ahoy", "Democracy Now", "E", "Eureka", "Hellzapoppin",
	"Help", "Jeopardy", "Joomla", "Kahoot", "Mamma Mia", "Moulin Rouge",
	"Oklahoma", "Oliver", "Panic", "Punch-Out", "Shazam", "Wham", "Yahoo", "Yum"
};

/* Countries and their short names, as firms have them: Acme Inc. USA. */
static const char *const places[] = {
	"America", "Australia", "Canada", "China", "EU", "Europe", "Germany", "India",
	"Japan", "KG", "Korea", "UAE", "UK", "US", "USA"
};

/* Verbs before a letter that stands for a thing. */
static const char *const letter_verbs[] = {
	"becomes", "choose", "chose", "comes", "equal", "equals", "follows", "pick",
	"picked", "select", "selected"
};

/* A word that need not end in a NUL, as bsearch() passes it on */
typedef struct WordKey
{
	const char *word;
	size_t		length;
} WordKey;

static int
compare_word(const WordKey *key, const char *entry)
{
	int			order = strncmp(key->word, entry, key->length);

	if (order == 0 && entry[key->length] != '\0')
		return -1;
	return order;
}

static int
compare_abbreviation(const void *key, const void *entry)
{
	return compare_word(key, ((const SrmAbbreviationEntry *) entry)->word);
}

static int
compare_string(const void *key, const void *entry)
{
	return compare_word(key, *(const char *const *) entry);
}

SrmAbbreviation
srm_abbreviation(const char *word, size_t length)
{
	WordKey		key = {word, length};
	const SrmAbbreviationEntry *entry;

	entry = bsearch(&key, srm_abbreviations, srm_n_abbreviations,
					sizeof(SrmAbbreviationEntry), compare_abbreviation);
	return entry != NULL ? entry->kind : SRM_ABBREVIATION_NONE;
}

bool
srm_has_word(const char *const *words, size_t n, const char *word, size_t length)
{
	WordKey		key = {word, length};

	return bsearch(&key, words, n, sizeof(char *), compare_string) != NULL;
}

bool
srm_is_starter(const char *word, size_t length)
{
	return srm_has_word(srm_starters, srm_n_starters, word, length);
}

bool
srm_is_label(const char *word, size_t length)
{
	char		lower[16];

	if (length == 0 || length >= sizeof(lower))
		return false;
	memcpy(lower, word, length);
	if (lower[0] >= 'A' && lower[0] <= 'Z')
		lower[0] += 'a' - 'A';
	return srm_has_word(srm_labels, srm_n_labels, lower, length);
}

bool
srm_is_place(const char *word, size_t length)
{
	return srm_has_word(places, sizeof(places) / sizeof(places[0]), word, length);
}

bool
srm_is_letter_verb(const char *word, size_t length)
{
	return srm_has_word(letter_verbs, sizeof(letter_verbs) / sizeof(letter_verbs[0]), word, length);
}

size_t
srm_name_before(const char *text, size_t start, size_t end)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		size_t		length = strlen(names[i]);

		if (end - start >= length && memcmp(text + end - length, names[i], length) == 0 &&
			(end - length == start || text[end - length - 1] == ' '))
			return length;
	}
	return 0;
}
