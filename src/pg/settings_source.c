/*-------------------------------------------------------------------------
 *
 * settings_source.c
 *	  Whether what a superuser has set still holds when the library is loaded.
 *
 * Until then the server keeps settings of ours as placeholders, which anybody
 * may send as an option of a connection.  Such an option takes the place of what the
 * configuration says; when the library is loaded and defines a setting for
 * superusers, the option is refused with a warning, and the built-in default is left:
 * other limits than those that were configured.  Nothing runs in such a session.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"
#include "utils/guc_tables.h"

#include "pg/compat.h"
#include "pg/settings_source.h"

/* Those that only a superuser sets */
static const char *const names[] = {
	"srm.model_path", "srm.output_path", "srm.prepared_path", "srm.training_memory"
};

#define N_NAMES	lengthof(names)

static bool was_sent[N_NAMES];
static const char *refused;		/* the first of them that was refused, or NULL */

static const struct config_generic *
find_setting(const char *name)
{
	int			n;
	struct config_generic **settings = srm_guc_variables(&n);

	for (int i = 0; i < n; i++)
		if (pg_strcasecmp(settings[i]->name, name) == 0)
			return settings[i];
	return NULL;
}

void
srm_settings_before_definition(void)
{
	for (size_t i = 0; i < N_NAMES; i++)
	{
		const struct config_generic *setting = find_setting(names[i]);

		was_sent[i] = setting != NULL && setting->reset_source == PGC_S_CLIENT;
	}
}

void
srm_settings_after_definition(void)
{
	for (size_t i = 0; i < N_NAMES; i++)
	{
		const struct config_generic *setting = find_setting(names[i]);

		if (was_sent[i] && refused == NULL && setting != NULL && setting->reset_source == PGC_S_DEFAULT)
			refused = names[i];
	}
}

void
srm_settings_check_source(void)
{
	if (refused != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set parameter \"%s\"", refused),
				 errdetail("The connection has sent it as an option, which hides what is configured."),
				 errhint("Connect again without it.")));
}
