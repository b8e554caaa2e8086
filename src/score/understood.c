/*-------------------------------------------------------------------------
 *
 * understood.c
 *	  Whether a model's chat template takes in what a conversation says.
 *
 *-------------------------------------------------------------------------
 */
#include "score/understood.h"

#include <string.h>

#include "base/json.h"

/* Who asks, instructs or reports; none of them answers. */
static const char *const others[] = {
	"user", "system", "developer", "tool", "function", "ipython", "environment", "human", NULL
};

static bool
is_one_of(const char *role, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(role, *list) == 0)
			return true;
	return false;
}

/* "response_roles" of the model's settings */
static bool
is_of_model(const SrmModel *model, const char *role)
{
	const SrmModelSettings *settings = &model->settings;

	for (size_t i = 0; i < settings->n_response_roles; i++)
		if (strcmp(settings->response_roles[i], role) == 0)
			return true;
	return false;
}

static bool
check_last(const SrmModel *model, const char *role, SrmStatus *status)
{
	if (strcmp(role, "assistant") == 0 || is_of_model(model, role) ||
		(!is_one_of(role, others) && srm_template_has_role(model->chat_template, role)))
		return true;
	srm_fail(status, SRM_INVALID_ARGUMENT, "last message is not a response");
	srm_fail_detail(status, "Its role is \"%.64s\".", role);
	if (is_one_of(role, others))
		return srm_fail_hint(status, "The last of the messages is the one that is scored.");
	return srm_fail_hint(status, "The role of a response is \"assistant\", or one that the model's chat template or \"response_roles\" in \"srm\" of its config.json names.");
}

/* Whether the rendered text has the role in it; it is a user's text, for the usual ones are not asked for. */
static bool
is_printed(const SrmRendered *rendered, const char *role)
{
	size_t		length = strlen(role);

	for (size_t i = 0; i < rendered->n_fragments && length > 0; i++)
	{
		const SrmFragment *fragment = &rendered->fragments[i];

		if (fragment->origin == SRM_FROM_USER &&
			memmem(rendered->text + fragment->start, fragment->length, role, length) != NULL)
			return true;
	}
	return false;
}

static bool
check_others(const SrmModel *model, const SrmMessage *messages, size_t n_messages,
			 const SrmRendered *rendered, SrmStatus *status)
{
	for (size_t i = 0; i + 1 < n_messages; i++)
	{
		const char *role = messages[i].role;

		if (strcmp(role, "assistant") == 0 ||
			(strcmp(role, "human") != 0 && is_one_of(role, others)) ||
			is_of_model(model, role) || srm_template_has_role(model->chat_template, role) ||
			is_printed(rendered, role))
			continue;
		srm_fail(status, SRM_INVALID_ARGUMENT, "role \"%.64s\" of message %zu is not known to the model",
				 role, i + 1);
		return srm_fail_detail(status, "Its chat template neither names that role nor writes it down.");
	}
	return true;
}

/* Whether a member of a message is text of the conversation, which a score must not miss. */
static bool
is_said(const SrmJson *member)
{
	static const char *const keys[] = {
		"tool_calls", "function_call", "refusal", "reasoning_content", "reasoning", "thinking",
		"audio", "image", "images", "videos", NULL
	};

	if (member->type == SRM_JSON_NULL || member->type == SRM_JSON_FALSE ||
		(member->type != SRM_JSON_NUMBER && member->type != SRM_JSON_TRUE && member->n == 0))
		return false;
	return is_one_of(member->key, keys);
}

/* reasoning has several names, of which a message may have more than the template knows. */
static bool
is_known(const SrmTemplate *template, const SrmJson *message, const char *key)
{
	static const char *const names[] = {"reasoning_content", "reasoning", "thinking", NULL};

	if (srm_template_has_key(template, key))
		return true;
	for (int i = 0; is_one_of(key, names) && names[i] != NULL; i++)
		if (srm_json_member(message, names[i]) != NULL && srm_template_has_key(template, names[i]))
			return true;
	return false;
}

static bool
check_keys(const SrmModel *model, const SrmMessage *message, size_t number, SrmArena *scratch,
		   SrmStatus *status)
{
	const SrmJson *json = srm_json_parse(message->json, strlen(message->json), "message", scratch,
										 status);

	if (json == NULL)
		return false;
	for (const SrmJson *member = json->child; member != NULL; member = member->next)
	{
		if (!is_said(member) || is_known(model->chat_template, json, member->key))
			continue;
		srm_fail(status, SRM_INVALID_ARGUMENT, "\"%s\" of message %zu is not known to the model",
				 member->key, number);
		srm_fail_detail(status, "Its chat template would leave that out.");
		return srm_fail_hint(status, "Put it into \"content\" as the model should read it, or take the key away.");
	}
	return true;
}

bool
srm_check_understood(const SrmModel *model, const SrmMessage *messages, size_t n_messages,
					 const SrmRendered *rendered, SrmStatus *status)
{
	SrmArena   *scratch;
	bool		done = true;

	if (!check_last(model, messages[n_messages - 1].role, status) ||
		!check_others(model, messages, n_messages, rendered, status))
		return false;
	scratch = srm_arena_create(status);
	for (size_t i = 0; scratch != NULL && done && i < n_messages; i++)
		done = messages[i].json == NULL || check_keys(model, &messages[i], i + 1, scratch, status);
	srm_arena_free(scratch);
	return scratch != NULL && done;
}
