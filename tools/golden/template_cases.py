"""Small templates, one for each thing that the evaluator knows or refuses."""

EXPRESSIONS = r"""
plain text
{{ 'a' }}{{ "b" }}
{{ 'a' 'b' "c" }}
{{ 'it\'s' }} {{ "q\"q" }} {{ 'tab\there' }} {{ 'nl\nx' }} {{ '\x41\u00e9\U0001F600\101' }} {{ 'odd\q' }}
{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }}
{{ 7 / 2 }} {{ 6 / 3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ -2 ** 2 }}
{{ 1.5 + 1 }} {{ 0.1 + 0.2 }} {{ 1e20 }} {{ 1e-7 }} {{ 123456789012345680.0 }} {{ 1e16 }} {{ 0.0001 }} {{ 1.0 }} {{ 5e-324 }}
{{ 7.5 // 2 }} {{ 7.5 % 2 }} {{ -7.5 % 2 }} {{ 1_000 }} {{ 10.5e3 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 1 // 0.0 }}
{{ true + 1 }} {{ true }} {{ False }} {{ none }} {{ None }} {{ True and none }}
{{ 'a' + 'b' }} {{ 'a' ~ 1 ~ none ~ 2.0 }} {{ 'ab' * 3 }} {{ 2 * 'x' }} {{ 'x' * -1 }}|
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ [1] + [2, 3] }} {{ [0] * 3 }} {{ (1, 2) + (3,) }} {{ (1,) }} {{ () }} {{ [] }} {{ {} }}
{{ [1] + (2,) }}
{{ {'a': 1, 'b': [true, none]} }} {{ {'a': 1}['a'] }} {{ {1: 2}[1] }} {{ {'a': 1}.a }}
{{ {'a': 1, 'a': 2} }}
{{ ['it\'s', "q\"", 'both\'"', 'é', '\n\t\\', '\u00a0\u200b'] }}
{{ 1 == 1.0 }} {{ 1 == true }} {{ 'a' == 'a' }} {{ 'a' != 'b' }} {{ [1, 2] == [1, 2] }} {{ {'a': 1} == {'a': 1.0} }} {{ none == none }} {{ 1 == '1' }}
{{ 1 < 2 }} {{ 2 <= 2 }} {{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ [1, 2] < [1, 3] }} {{ 2 > 1.5 }} {{ 1 >= 2 }} {{ 'é' > 'z' }}
{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1 != 2 }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ missing < 1 }}
{{ 'a' in 'abc' }} {{ '' in 'abc' }} {{ 'x' not in 'abc' }} {{ 1 in [1, 2] }} {{ 'a' in {'a': 1} }} {{ 3 in range(5) }} {{ 'a' in missing }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ not true }} {{ not '' }} {{ not [] }} {{ not 0.0 }} {{ not 'a' }} {{ not not 1 }}
{{ 1 and 2 }} {{ 0 or 'x' }} {{ '' and 1 }}| {{ none or [] }} {{ 1 or missing.x }} {{ true and false or 3 }}
{{ 'a' if true else 'b' }} {{ 'a' if false else 'b' }} {{ 'a' if false }}| {{ 1 if 0 else 2 if 0 else 3 }}
{{ 'a' if false else 'b' if true }}
{{ missing }}| {{ missing is defined }} {{ messages is defined }} {{ not missing }} {{ missing ~ 'x' }} {{ missing | length }} {{ missing == missing2 }}
{{ missing.x }}
{{ missing['x'] }}
{{ missing + 1 }}
{{ missing() }}
{{ missing[1:] }}
{{ messages.foo }}| {{ messages[0].foo }}| {{ messages[0]['foo'] }}| {{ messages[99] }}| {{ none.x }}| {{ 5.0.x }}|
{{ messages[0].foo.bar }}
{{ messages[0]['role'] }} {{ messages[-1].role }} {{ messages[1]['content'] }} {{ (messages | last).content }}
{{ messages[0].items is defined }} {{ messages[0]['items'] is defined }} {{ 'abc'.upper is callable }} {{ {'items': 1}.items is number }} {{ {'items': 1}['items'] }}
{{ 'abc'[0] }}{{ 'abc'[-1] }} {{ 'abc'[5] }}| {{ 'abc'[-4] }}| {{ 'héé日'[3] }} {{ 'héé日'[-2] }} {{ [1, 2, 3][-3] }} {{ [1, 2][true] }}
{{ 'abcdef'[1:3] }} {{ 'abcdef'[:2] }} {{ 'abcdef'[4:] }} {{ 'abcdef'[:] }} {{ 'abcdef'[-2:] }} {{ 'abcdef'[:-2] }} {{ 'abcdef'[::2] }} {{ 'abcdef'[::-1] }} {{ 'abcdef'[5:1:-2] }} {{ 'abc'[10:] }}| {{ 'abc'[2:1] }}| {{ 'abc'[-10:10] }}
{{ 'a日é\U0001F600z'[1:4] }} {{ 'a日é\U0001F600z'[::-1] }} {{ 'a日é\U0001F600z'[3::-2] }} {{ 'a日é\U0001F600z'[-2:] }}
{{ [1, 2, 3, 4][1:3] }} {{ [1, 2, 3, 4][::-1] }} {{ [1, 2, 3][::2] }} {{ (1, 2, 3)[1:] }} {{ [1, 2, 3][3:0:-1] }} {{ [1, 2][none:1] }} {{ [1,2,3][-100:2] }}
{{ 'abc'[::0] }}
{{ 'abc'['a':] }}
{{ 5[1:] }}
{{ 5[1] }}| {{ {'a': 1}[2] }}| {{ 'abc'['x'] }}|
{{ {[1]: 2} }}
{{ 'abc'.upper() }} {{ 'ABC'.lower() }} {{ 'hello world'.title() }} {{ "they're bill's".title() }} {{ 'hELLO wORLD'.capitalize() }} {{ 'straße'.upper() }} {{ 'ΣΑΣ ΟΔΟΣ.'.lower() }} {{ 'ǆ ŉ'.title() }}
{{ '  a b '.strip() }}| {{ ' a '.lstrip() }}| {{ ' a '.rstrip() }}| {{ 'xxaxx'.strip('x') }} {{ 'xyaxy'.lstrip('yx') }} {{ 'a\n\n'.rstrip('\n') }}| {{ '\u00a0\u3000a\x1f\u2028'.strip() }}| {{ 'ééaé'.strip('é') }} {{ 'a'.strip(none) }} {{ '   '.strip() }}|
{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a b  c '.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a--b'.split('--') }} {{ 'abc'.split('x')[0] }} {{ 'a b'.split(maxsplit=1) }} {{ ' a b '.split(none, 0) }}
{{ 'a,b,c'.rsplit(',', 1) }} {{ 'a,b'.rsplit(',') }} {{ 'a b'.rsplit() }} {{ 'aXXXb'.rsplit('XX', 5) }}
{{ 'a'.split('') }}
{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith('bc') }} {{ 'abc'.startswith('') }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('abcd') }}
{{ 'abc'.startswith(1) }}
{{ 'aXbX'.replace('X', '--') }} {{ 'aXbX'.replace('X', '', 1) }} {{ 'ab'.replace('', '-') }} {{ 'aaa'.replace('aa', 'b') }} {{ 'aé日'.replace('', '.', 2) }} {{ 'ab'.replace('c', 'd') }} {{ ''.replace('', 'x') }}
{{ 'abcabc'.find('c') }} {{ 'abc'.find('x') }} {{ 'éb'.find('b') }} {{ 'abcabc'.rfind('c') }} {{ 'abc'.index('b') }} {{ 'abca'.count('a') }} {{ 'aaa'.count('aa') }} {{ 'aé'.count('') }} {{ 'abc'.find('') }} {{ 'aéc'.rfind('') }}
{{ 'abc'.index('x') }}
{{ ', '.join(['a', 'b']) }} {{ ''.join(['a']) }} {{ '-'.join('abc') }} {{ ','.join([]) }}|
{{ ','.join([1, 2]) }}
{{ 'prefix-a'.removeprefix('prefix-') }} {{ 'a.txt'.removesuffix('.txt') }} {{ 'a'.removeprefix('b') }}
{{ 'a\nb\r\nc\u2028d\n'.splitlines() }} {{ 'a\n\nb'.splitlines(true) }} {{ ''.splitlines() }}
{{ 'abc'.isalpha() }} {{ '12'.isdigit() }} {{ ' \n'.isspace() }} {{ ''.isspace() }} {{ 'a1'.isalnum() }} {{ 'AB1'.isupper() }} {{ 'ab'.islower() }} {{ '1'.isupper() }}
{{ '{} and {}'.format('a', 2) }} {{ '{1}{0}'.format('a', 'b') }} {{ '{x}={y}'.format(x=1, y=none) }} {{ '{{}}'.format() }}
{{ '{} {}'.format(1) }}
{{ 'abc'.nosuch }}|
{{ 'abc'.nosuch() }}
{{ [1, 2].append(3) }}
{{ {'a': 1}.update({'b': 2}) }}
{{ {'a': 1}.pop('a') }}
{{ {'a': 1}.get('a') }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 'x') }} {{ {'a': 1, 'b': 2}.keys() | list }} {{ {'a': 1, 'b': 2}.values() | list }} {{ {'a': 1}.items() | list }}
{{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }} {{ (1, 1).count(1) }}
{{ [1].index(9) }}
{{ '  a '|trim }}| {{ 'xax'|trim('x') }} {{ 5|trim }} {{ none|trim }} {{ missing|trim }}|
{{ 'abc'|length }} {{ 'é日'|length }} {{ [1, 2]|count }} {{ {'a': 1}|length }} {{ range(7)|length }}
{{ 5|length }}
{{ none|length }}
{{ [1, 'a', none, 2.5]|join }} {{ [1, 2]|join(', ') }} {{ 'abc'|join('-') }} {{ messages|join(',', attribute='role') }} {{ []|join }}| {{ [1]|join(none) }}
{{ 'aBc'|upper }} {{ 'aBc'|lower }} {{ 'aBC dEF'|capitalize }} {{ "foo bar's x-ray (baz) a1b"|title }} {{ 5|upper }} {{ none|lower }} {{ 'ß'|upper }}
{{ 'aXbX'|replace('X', '-') }} {{ 'aXbX'|replace('X', '', 1) }} {{ 5|replace(5, 6) }} {{ 'aXbX'|replace(old='X', new='y') }}
{{ missing|default('x') }} {{ ''|default('x') }}| {{ ''|default('x', true) }} {{ none|d('y') }} {{ none|d('y', boolean=true) }} {{ missing|default }}| {{ 0|default(5, True) }}
{{ [1, 2]|first }} {{ [1, 2]|last }} {{ 'abc'|first }} {{ 'abc'|last }} {{ []|first }}| {{ {'a': 1, 'b': 2}|first }}
{{ messages[0]|tojson }} {{ [1, 2.5, none, true, 'é"\\\n\u0001\u007f/<>&\'']|tojson }} {{ {}|tojson }} {{ []|tojson }} {{ 'a'|tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }} {{ (1, 2)|tojson }}
{{ {'a': [1, {'b': 2}], 'c': {}, 'd': []}|tojson(indent=2) }} {{ [1, 2]|tojson(indent=0) }} {{ [1]|tojson(indent='--') }} {{ {'b': 1, 'a': 2}|tojson(sort_keys=true) }} {{ [1, {'a': 2}]|tojson(separators=(',', ':')) }} {{ 'é\U0001F600'|tojson(ensure_ascii=true) }}
{{ missing|tojson }}
{{ namespace()|tojson }}
{{ 5|string + 'x' }} {{ none|string }} {{ 1.0|string|length }} {{ [1]|string|length }}
{{ '42'|int }} {{ ' 42 '|int }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ '3.9'|int }} {{ 3.9|int }} {{ -3.9|int }} {{ none|int }} {{ true|int }} {{ '1_000'|int }} {{ 'ff'|int(base=16) }} {{ ''|int }} {{ '-5'|int }} {{ []|int }}
{{ missing|int }}
{{ '1.5'|float }} {{ 'x'|float }} {{ 'x'|float(2.5) }} {{ 3|float }} {{ '1e3'|float }} {{ none|float }} {{ ' -2 '|float }}
{{ 'abc'|list }} {{ (1, 2)|list }} {{ {'a': 1}|list }} {{ range(3)|list }} {{ missing|list }}
{{ 5|list }}
{{ messages|map(attribute='role')|list }} {{ [1, 2]|map('string')|join('+') }} {{ ['a', 'b']|map('upper')|list }} {{ [[1, 2], [3]]|map('first')|list }} {{ [{'a': {'b': 1}}]|map(attribute='a.b')|list }} {{ [{'a': 1}, {}]|map(attribute='a', default=0)|list }} {{ [[1, 2], [3, 4]]|map(attribute=1)|list }} {{ ['aXb']|map('replace', 'X', '-')|list }} {{ [[5]]|map(attribute='0')|list }}
{{ [1, 2, 3, 4]|select('even')|list }} {{ [0, 1, '', 'a']|select|list }} {{ [1, 2, 3]|reject('equalto', 2)|list }} {{ [1, none]|reject('none')|list }} {{ [1, 5]|select('>', 2)|list }} {{ [1, 2, 3]|select('in', [1, 3])|list }}
{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list }} {{ messages|rejectattr('role', 'eq', 'user')|list|length }} {{ [{'a': 1}, {'a': 0}, {}]|selectattr('a')|list }} {{ [{'a': 1}, {}]|selectattr('a', 'defined')|list }} {{ [{'a': 1}, {}]|rejectattr('a')|list }}
{{ {'b': 1, 'a': 2}|items|list }} {{ missing|items|list }} {{ {'b': 1, 'a': 2}|dictsort }} {{ {'b': 1, 'a': 2}|dictsort(by='value') }} {{ {'B': 1, 'a': 2}|dictsort }} {{ {'B': 1, 'a': 2}|dictsort(true) }} {{ {'a': 1, 'b': 2}|dictsort(reverse=true) }}
{{ [1]|items|list }}
{{ [1, 2, 1, 'A', 'a']|unique|list }} {{ ['A', 'a']|unique(true)|list }} {{ [{'a': 1}, {'a': 1}]|unique(attribute='a')|list }}
{{ [3, 1, 2]|sort }} {{ ['b', 'A', 'a', 'B']|sort }} {{ ['b', 'A', 'a']|sort(case_sensitive=true) }} {{ [3, 1, 2]|sort(reverse=true) }} {{ [{'a': 2}, {'a': 1}]|sort(attribute='a') }} {{ 'hello'|sort }} {{ [1, 1.0, true]|sort }} {{ [(2, 'a'), (1, 'b')]|sort }}
{{ [5, 3, 9, 1, 7, 2, 8, 0, 6, 4, 11, 15, 13]|sort }} {{ [[1, 'x'], [0, 'y'], [1, 'z'], [0, 'w']]|sort(attribute=0, reverse=true) }}
{{ [1, 'a']|sort }}
{{ [1, 2, 3]|reverse|list }} {{ 'abé'|reverse }} {{ 'x'|safe }}
{{ 'a\nb\n\nc'|indent }}| {{ 'a\nb'|indent(2, true) }}| {{ 'a\n\nb'|indent(2, blank=true) }}| {{ 'a\nb\n'|indent('> ') }}| {{ ''|indent(2, first=true) }}|
{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 5|round }} {{ 1.234|round(1, 'ceil') }} {{ 1.29|round(1, 'floor') }} {{ -2.5|round }} {{ 1234.5|round(-2) }} {{ 0.5|round }}
{{ -5|abs }} {{ (-5)|abs }} {{ 5.5|abs }} {{ -1.5|abs }} {{ true|abs }}
{{ [3, 1, 2]|min }} {{ [3, 1, 2]|max }} {{ ['b', 'A']|min }} {{ ['b', 'A']|max }} {{ []|min }}| {{ [{'a': 2}, {'a': 1}]|min(attribute='a') }} {{ ['a', 'A']|max(true) }}
{{ [1, 2, 3.5]|sum }} {{ []|sum }} {{ [{'a': 1}, {'a': 2}]|sum(attribute='a') }} {{ [[1], [2]]|sum(start=[]) }} {{ [1]|sum(start=10) }}
{{ [1, 2, 3, 4, 5]|batch(2)|list }} {{ [1, 2, 3]|batch(2, 'x')|list }} {{ []|batch(2)|list }}
{{ '%s is %d' % ('a', 5) }} {{ '%s' % 'x' }} {{ '%.2f%%' % 1.005 }} {{ '%s-%s'|format('a', 1) }} {{ '%r' % 'a' }} {{ '%s' % [1] }} {{ '%i' % 3.9 }} {{ '%f' % 2 }}
{{ '%s %s' % 'a' }}
{{ '%s' % ('a', 'b') }}
{{ '%d' % 'a' }}
{{ 'one two  three'|wordcount }}
{{ 5|nosuchfilter }}
{{ 5 is nosuchtest }}
{{ 'a'|upper('x') }}
{{ 'a'|replace('x') }}
{{ 'a'|trim(nosuch='x') }}
{{ missing is undefined }} {{ none is none }} {{ none is not none }} {{ 'a' is string }} {{ {} is mapping }} {{ messages is iterable }} {{ 5 is iterable }} {{ 'a' is sequence }} {{ 5 is sequence }} {{ missing is iterable }} {{ range(2) is sequence }} {{ {} is sequence }}
{{ 5 is number }} {{ true is number }} {{ 1.5 is number }} {{ '5' is number }} {{ 5 is integer }} {{ true is integer }} {{ 1.5 is float }} {{ 1 is float }} {{ true is boolean }} {{ 1 is boolean }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ 0 is false }}
{{ 3 is odd }} {{ 3 is even }} {{ -3 is odd }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ 1 is eq 1 }} {{ 1 is equalto(2) }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 1 is ge(2) }} {{ 1 is in [1] }} {{ 'a' is not in 'abc' }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ none is sameas none }} {{ 1 is eq(1) and 2 is eq(2) }} {{ 'x' is string and 1 }}
{{ 'a' is odd }}
{{ missing is not defined and true }} {{ not missing is defined }}
{{ 'yes' if x is defined else 'no' }} {{ (x.y is defined) if x else 'no' }}
{{ 1 if x is defined if true }}
{{ 'a' is defined is true }}
{{ range(3)|list }} {{ range(1, 4)|list }} {{ range(10, 0, -3)|list }} {{ range(0)|list }} {{ range(3, 1)|list }} {{ range(5)[2] }} {{ range(5)[-1] }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ range() }}
{{ range(1000000) }}
{{ dict(a=1, b=2) }} {{ dict({'a': 1}, b=2) }} {{ dict([('a', 1)]) }} {{ dict() }}
{{ dict(**{'x': 1}) }} {{ '{}-{}'.format(*[1, 2]) }}
{% set ns = namespace(a=1) %}{{ ns.a }}{% set ns.a = 2 %}{{ ns.a }}{% set ns.b = 'x' %}{{ ns.b }} {{ ns.c }}| {{ ns is mapping }}
{% set ns = namespace() %}{% for i in range(3) %}{% set ns.last = i %}{% endfor %}{{ ns.last }}
{% set x = {} %}{% set x.a = 1 %}
{% set ns = namespace() %}{% set ns._x = 1 %}
{{ raise_exception('no') }}
{{ strftime_now('%d %b %Y') }} {{ strftime_now('%A, %B %-d, %Y %H:%M:%S %p %j %y %m %e %a %U %%') }} {{ strftime_now('%Y-%m-%dT%H:%M:%S.%f%z') }}| {{ strftime_now('%F %T %D') }}
{{ strftime_now is defined }} {{ raise_exception is callable }} {{ tools is none }} {{ documents is none }} {{ tools is defined }} {{ enable_thinking is defined }} {{ add_generation_prompt }} {{ bos_token }}{{ eos_token }} {{ pad_token is defined }}
{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ m.role }} {% endfor %}
{% for x in [1, 2, 3] %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}
{% for x in [1, 2, 3] %}{% if loop.previtem is defined %}{{ loop.previtem }}{% endif %}{{ loop.nextitem is defined }} {% endfor %}
{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }} {% endfor %}{% for k, v in {'x': 1}.items() %}{{ k }}={{ v }}{% endfor %}{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for x in [] %}a{% else %}none{% endfor %} {% for x in [1] %}a{% else %}none{% endfor %} {% for x in missing %}a{% else %}u{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in range(6) if x is odd %}{{ x }}:{{ loop.index }}/{{ loop.length }} {% endfor %}{% for x in [1] if x > 5 %}{% else %}no{% endfor %}
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in [1, 2] %}{% for y in [1, 2] %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }}{{ loop.depth }}{% endfor %}{{ loop.index }}{% endfor %}
{% break %}
{% for x in [1] %}{% set y = x %}{% endfor %}{{ y is defined }}
{% set y = 0 %}{% for x in [1, 2] %}{{ y }}{% set y = x %}{{ y }}{% endfor %}{{ y }}
{% for x in 'aé' %}[{{ x }}]{% endfor %}{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}
{% for x in [1, 2, 3] %}{{ loop.cycle('a', 'b') }}{% endfor %}{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}
{{ loop is defined }}{% for x in [1] %}{{ loop is defined }}{% endfor %}
{% if missing %}a{% elif 0 %}b{% elif 1 %}c{% else %}d{% endif %}{% if 0 %}x{% endif %}{% if 1 %}y{% else %}z{% endif %}
{% if true %}{% set x = 1 %}{% endif %}{{ x }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}{% set d = (1) %}{{ d }}
{% set a, b = [1] %}
{% set x %}a{{ 1 + 1 }}b{% endset %}{{ x }}{{ x | length }}{% set y | upper | trim %} abc {% endset %}{{ y }}
{% set true = 1 %}
{% filter upper %}abc{{ 'd' }}{% endfilter %} {% filter replace('a', 'b') | trim %} aaa {% endfilter %}|
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}{% set a = 5 %}{% with a = 1, b = a %}{{ b }}{% endwith %}
{% macro m(a, b='x', c=none) %}{{ a }}-{{ b }}-{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(1, c=3) }}{{ m() }}{{ m(b=a, a=1) }}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(z=2) }}
{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}
{% macro fact(n) %}{% if n <= 1 %}1{% else %}{{ n * (fact(n - 1) | int) }}{% endif %}{% endmacro %}{{ fact(10) }}
{% set g = 'G' %}{% macro m() %}{{ g }}{{ bos_token }}{% endmacro %}{{ m() }}{% set g = 'H' %}{{ m() }}{% set y = m() %}{{ y | lower }}
{% macro m(x) %}[{{ caller() }}{{ x }}]{% endmacro %}{% call m(1) %}body{% endcall %} {% macro n() %}{{ caller(5) }}{% endmacro %}{% call(v) n() %}<{{ v }}>{% endcall %}
{% for m in messages %}{% macro mm() %}{{ m.role }}{% endmacro %}{{ mm() }} {% endfor %}
{% macro m() %}{% set q = 1 %}{% endmacro %}{{ m() }}{{ q is defined }}
{% generation %}abc{{ 1 }}{% endgeneration %}
{% raw %}{{ x }} {% y %} {# z #}{% endraw %} {%- raw -%}  a  {%- endraw -%}  b
{# comment #}a{#- b -#} c {#+ d +#}
a {{- ' b ' -}} c
a   {%- if true -%}   b   {%- endif -%}   c
a   {%+ if true +%}   b   {% endif %}   c
<|a|> { b } {a} }} %} #}
{{ {'a': {'b': 1}}['a']['b'] }}{{ {'a':{}} }}
{{ '}}' }} {{ "%}" }} {{ '{{' }}
{{ 1, 2 }} {{ 1, }}
{{ }}
{{ 1 + }}
{{ (1 }}
{{ 1) }}
{{ [1, }}
{{ 'abc }}
{{ a b }}
{{ 1 if }}
{% if %}{% endif %}
{% if true %}
{% endif %}
{% for %}{% endfor %}
{% for x in [1] %}
{% else %}
{% nosuchblock %}
{% do messages %}
{% set %}
{% set x = %}
{% set x = 1
{{ 1
{# never
{% raw %} never
{% include 'x' %}
{{ @ }}
{{ a.1 }}
{{ messages.0.role }} {{ messages[1:]|map(attribute='role')|join('/') }} {{ messages | length - 1 }} {{ messages|length % 2 == 1 }}
{{ messages[0]['content'] | trim + '!' }} {{ ('x' ~ messages[0].content) | trim }} {{ messages[0].content.strip().split(' ')[-1] }}
{{ -1 | abs }} {{ - 1 }} {{ +1 }} {{ --1 }} {{ 2 - -1 }}
{{ -'a' }}
{{ +true }} {{ 1 - 1 }}{{ 1 -1 }}
{{ 9223372036854775807 }} {{ -9223372036854775807 }} {{ 3 * 1000000 }}
{{ 'a' < 'b' and 'b' < 'c' }} {{ 1 + 1 == 2 }} {{ 'a' ~ 'b' == 'ab' }} {{ not 1 == 2 }} {{ 1 if 'a' in 'ab' and not false else 2 }}
{{ messages[0] == messages[0] }} {{ messages[0] in messages }} {{ messages == messages[:] }} {{ messages[1] == messages[3] }}
{{ (messages | map(attribute='content') | join(' ') | length) }} {{ (messages|first)['role'] }} {{ (messages|last).role.upper() }}
{{ 5 is defined }} {{ messages[9] is defined }} {{ messages[0].x is defined }} {{ messages[0].content is string }} {{ messages[0] is mapping }}
""".strip("\n").split("\n")

# Those that take several lines
EXPRESSIONS += [
    "", "\n", "\n\n", "a\n", "a\n\n", "\r\na\r\n", "a\rb\r",
    "{% if true %}\na\n{% endif %}\nb\n",
    "  {% if true %}\n  a\n  {% endif %}\nb",
    "  {% if true %}  \n  a\n  {%+ endif %}\nb",
    "x  {% if true %}\n  a{% endif %}",
    "{% for x in [1, 2] %}\n  {{ x }}\n{% endfor %}\n.",
    "{% for x in [1, 2] -%}\n  {{ x }}\n{%- endfor %}\n.",
    "a\n  {# one #}\nb {# two #}\nc\n {#- three -#} \nd",
    "  {{ 1 }}\n  {{- 2 }}\n  {{ 3 -}}  \n 4",
    "{% set x = 1 %}\n{% set y = 2 %}\n{{ x }}{{ y }}\n\n",
    "\t {% set x = 1 %} \nx",
    "  {%- set x = 1 -%}  \n\n x",
    "{% raw %}\n a {{ b }}\n{% endraw %}\n c",
    "a  {% raw %}  b  {%- endraw +%}\n c",
    "{{ 1 }}\n{% if true %}\n{% endif %}{{ 2 }}\n",
    "{{\n  'a'\n  ~ 'b'\n}}",
    "{%\n if true\n %}a{%\nendif\n%}",
    "{{ 'line\nbreak' }}",
    "{{ 'a\\\nb' }}",
    "\u00a0 {%- if true %}\u3000\n{% endif %}\u2028{%- set x = 1 %}",
    "\u00a0{% if true %}a{% endif %}",
    "{{ 'a' }}{# c #}\n{{ 'b' }}",
    "{{ 'a' }}\n  {% if true %}b{% endif %}\n  {% if false %}c{% endif %}\n  d",
    "{% macro m(x) %}\n  <{{ x }}>\n{% endmacro %}\n{{ m(1) }}\n{{ m(2) }}",
]
