/*-------------------------------------------------------------------------
 *
 * fuzz_template.c
 *	  Any bytes as a chat template: an error that says something, or a text
 *	  whose fragments tile it and whose content is that of the messages.
 *
 * Good seeds are the templates of test/data/templates.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jinja/template.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const SrmMessage messages[3] = {
	{"system", " Be brief.\n", 11, NULL},
	{"user", "<tool_response> \xC3\xA9, {{ x }}", 27, NULL},
	{"critic", "<think>\nHm.</think>\n\n No. ", 26, NULL},
};

static void
check_rendered(const SrmRendered *rendered)
{
	size_t		at = 0;

	for (size_t i = 0; i < rendered->n_fragments; i++)
	{
		const SrmFragment *fragment = &rendered->fragments[i];

		if (fragment->start != at || fragment->length == 0 || fragment->length > rendered->length - at)
			abort();
		at += fragment->length;
		if (fragment->origin != SRM_FROM_CONTENT)
			continue;
		if (fragment->message >= 3 ||
			(size_t) fragment->offset + fragment->length > messages[fragment->message].content_length ||
			memcmp(rendered->text + fragment->start, messages[fragment->message].content + fragment->offset,
				   fragment->length) != 0)
			abort();
	}
	if (at != rendered->length || rendered->text[at] != '\0')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const SrmTemplateToken tokens[] = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
	const SrmTemplateVariables variables = {
		.tokens = tokens, .n_tokens = 2, .add_generation_prompt = true, .date = "2024-07-26",
	};
	SrmStatus	status;
	SrmArena   *arena;
	SrmTemplate *template;
	SrmRendered rendered;

	srm_status_init(&status);
	arena = srm_arena_create(&status);
	if (arena == NULL)
		return 0;
	template = srm_template_parse((const char *) data, size, arena, &status);
	if (template != NULL &&
		srm_template_render(template, messages, 3, &variables, arena, &rendered, NULL, &status))
		check_rendered(&rendered);
	else if (status.code == SRM_OK || status.code == SRM_INTERNAL || status.message[0] == '\0')
		abort();
	srm_arena_free(arena);
	return 0;
}
