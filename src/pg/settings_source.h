/*-------------------------------------------------------------------------
 *
 * settings_source.h
 *	  Whether what a superuser has set still holds when the library is loaded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SETTINGS_SOURCE_H
#define SRM_SETTINGS_SOURCE_H

/*
 * To be called before and after the settings are defined: those that only a
 * superuser sets, and that a connection has sent as an option.
 */
extern void srm_settings_before_definition(void);
extern void srm_settings_after_definition(void);

/* Raises an error if one of them was refused, and has hidden what was configured. */
extern void srm_settings_check_source(void);

#endif							/* SRM_SETTINGS_SOURCE_H */
