/*-------------------------------------------------------------------------
 *
 * test_special_tokens.c
 *	  Tokens that other files than tokenizer.json name, beside transformers.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer_fixture.h"

#include "base/json_write.h"

/* The base of a case without the tokens that it drops, and with its flags. */
static char *
make_tokenizer(const SrmJson *c, size_t *length)
{
	char		path[256];
	SrmJson    *tree;
	SrmJson   **link;
	SrmBuffer	out;

	snprintf(path, sizeof(path), FOLDER "%s.json", srm_json_string(srm_json_member(c, "base")));
	tree = (SrmJson *) read_json_file(path, arena, &status);
	link = &((SrmJson *) srm_json_member(tree, "added_tokens"))->child;
	while (*link != NULL)
	{
		const char *content = srm_json_string(srm_json_member(*link, "content"));
		const SrmJson *flags = srm_json_member(srm_json_member(c, "flags"), content);
		bool		dropped = false;

		for (const SrmJson *drop = srm_json_member(c, "drop")->child; drop != NULL; drop = drop->next)
			dropped |= strcmp(drop->text, content) == 0;
		if (dropped)
		{
			*link = (*link)->next;
			continue;
		}
		for (const SrmJson *flag = flags == NULL ? NULL : flags->child; flag != NULL; flag = flag->next)
			assert_true(srm_json_set(*link, flag->key, srm_json_make(flag->type, arena, &status), arena, &status));
		link = &(*link)->next;
	}
	assert_true(srm_buffer_init(&out, arena, 0, &status) && srm_json_write(&out, tree, &status));
	*length = out.length;
	return out.data;
}

static SrmSpecialTokens
read_special(const SrmJson *config, const SrmJson *map, const SrmJson *added)
{
	SrmSpecialFiles files = {.config = config,.map = map,.added = added};
	SrmSpecialTokens special;

	if (!srm_special_tokens_read(&special, &files, arena, &status))
		fail_msg("%s (%s)", status.message, status.detail);
	return special;
}

static void
check_ids(const char *name, SrmTokenizer *tokenizer, const SrmJson *texts, const SrmJson *ids)
{
	for (const SrmJson *text = texts->child; text != NULL; text = text->next, ids = ids->next)
	{
		SrmRange	all = {0, text->n};
		SrmTokens	tokens = encode(tokenizer, text->text, text->n, &all, 1);
		const SrmJson *id = ids->child;

		for (size_t i = 0; i < tokens.n && id != NULL; i++, id = id->next)
			if (tokens.items[i].id != (int32_t) json_number(id))
				fail_msg("%s, \"%s\": token %zu is %d, not %s", name, text->text, i, tokens.items[i].id, id->text);
		if (tokens.n != ids->n)
			fail_msg("%s, \"%s\": %zu tokens, not %u", name, text->text, tokens.n, ids->n);
	}
	srm_tokenizer_free(tokenizer);
}

static void
check_names(const char *name, const SrmSpecialTokens *special, const SrmJson *names)
{
	assert_int_equal(special->n_named, names->n);
	for (size_t i = 0; i < special->n_named; i++)
	{
		const char *text = srm_json_string(srm_json_member(names, special->named[i].name));

		if (text == NULL || strcmp(text, special->named[i].content) != 0)
			fail_msg("%s: \"%s\" is \"%s\"", name, special->named[i].name, special->named[i].content);
	}
}

/* ids and names are those of transformers, from the files and from an image */
static void
test_beside_transformers(void **state)
{
	const SrmJson *golden = read_json_file(FOLDER "special.json", arena, &status);
	const SrmJson *cases = srm_json_member(golden, "cases");

	(void) state;
	assert_true(cases->n >= 20);
	for (const SrmJson *c = cases->child; c != NULL; c = c->next)
	{
		const char *name = srm_json_string(srm_json_member(c, "name"));
		const SrmJson *texts = srm_json_member(golden, "texts");
		const SrmJson *ids = srm_json_member(c, "ids")->child;
		SrmSpecialTokens special = read_special(srm_json_member(c, "config"), srm_json_member(c, "map"),
												srm_json_member(c, "added"));
		size_t		length;
		char	   *json = make_tokenizer(c, &length);
		SrmTokenizer *tokenizer = srm_tokenizer_load(json, length, &special, arena, &status);
		size_t		size;
		const char *image = srm_tokenizer_pack(json, length, &special, arena, &size, &status);

		if (tokenizer == NULL || image == NULL)
			fail_msg("%s: %s (%s)", name, status.message, status.detail);
		check_ids(name, tokenizer, texts, ids);
		check_ids(name, open_image(image, size), texts, ids);
		check_names(name, &special, srm_json_member(c, "names"));
	}
}

static const SrmJson *
parse(const char *json)
{
	const SrmJson *tree = srm_json_parse(json, strlen(json), "test", arena, &status);

	assert_non_null(tree);
	return tree;
}

/* Reading the files, or loading a tokenizer with them, fails. */
static void
refused(const char *config, const char *map, const char *added, SrmCode code, const char *text)
{
	SrmSpecialFiles files = {
		.config = parse(config),.map = map == NULL ? NULL : parse(map),
		.added = added == NULL ? NULL : parse(added)
	};
	SrmSpecialTokens special;
	SrmTokenizer *tokenizer = NULL;
	char	   *json = make_json(&(Parts) {0});

	if (srm_special_tokens_read(&special, &files, arena, &status))
		tokenizer = srm_tokenizer_load(json, strlen(json), &special, arena, &status);
	if (tokenizer != NULL || status.code != code || strstr(status.message, text) == NULL)
		fail_msg("not refused for \"%s\": %d, %s (%s)", text, status.code, status.message, status.detail);
	srm_status_init(&status);
}

static void
test_refused(void **state)
{
	(void) state;
	refused("{\"bos_token\": 7}", NULL, NULL, SRM_INVALID_MODEL, "\"bos_token\" in file \"tokenizer_config.json\"");
	refused("{\"eos_token\": {\"lstrip\": true}}", NULL, NULL, SRM_INVALID_MODEL, "\"eos_token\" in file \"tokenizer_config.json\"");
	refused("{}", "{\"eos_token\": [1]}", NULL, SRM_INVALID_MODEL, "\"eos_token\" in file \"special_tokens_map.json\"");
	refused("{\"added_tokens_decoder\": []}", NULL, NULL, SRM_INVALID_MODEL, "\"added_tokens_decoder\"");
	refused("{\"added_tokens_decoder\": {\"x\": {\"content\": \"a\"}}}", NULL, NULL, SRM_INVALID_MODEL, "\"added_tokens_decoder\"");
	refused("{\"added_tokens_decoder\": {\"258\": \"a\"}}", NULL, NULL, SRM_INVALID_MODEL, "\"added_tokens_decoder\"");
	refused("{\"additional_special_tokens\": \"a\"}", NULL, NULL, SRM_INVALID_MODEL, "\"additional_special_tokens\"");
	refused("{\"extra_special_tokens\": [7]}", NULL, NULL, SRM_INVALID_MODEL, "\"extra_special_tokens\"");
	refused("{}", NULL, "[]", SRM_INVALID_MODEL, "file \"added_tokens.json\"");
	refused("{}", NULL, "{\"<a>\": \"7\"}", SRM_INVALID_MODEL, "\"<a>\" in file \"added_tokens.json\"");
	/* the ids of the tokenizers library are others */
	refused("{}", NULL, "{\"<a>\": 700}", SRM_INVALID_MODEL, "wrong id of added token \"<a>\"");
	refused("{\"added_tokens_decoder\": {\"300\": {\"content\": \"<a>\"}}}", NULL, NULL, SRM_INVALID_MODEL, "wrong id of added token \"<a>\"");
	/* what changes tokens, and is not followed */
	refused("{\"split_special_tokens\": true}", NULL, NULL, SRM_NOT_SUPPORTED, "\"split_special_tokens\"");
	refused("{\"add_prefix_space\": true}", NULL, NULL, SRM_NOT_SUPPORTED, "\"add_prefix_space\" is true");
}

/* a token without an id of its own gets none behind the embedding */
static void
test_no_room(void **state)
{
	SrmSpecialTokens special = read_special(parse("{\"pad_token\": \"<pad>\", \"bos_token\": \"<b>\", \"add_prefix_space\": false}"), NULL, NULL);
	char	   *json = make_json(&(Parts) {0});
	SrmTokenizer *tokenizer;

	(void) state;
	special.n_ids = 259;
	tokenizer = srm_tokenizer_load(json, strlen(json), &special, arena, &status);
	assert_non_null(tokenizer);
	assert_int_equal(srm_tokenizer_find(tokenizer, "<b>"), 258);
	assert_int_equal(srm_tokenizer_find(tokenizer, "<pad>"), -1);
	srm_tokenizer_free(tokenizer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_beside_transformers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
