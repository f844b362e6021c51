#include "config.h"

#include <math.h>
#include <string.h>

#define FIELD_TOLERANCE_T 0.15 /* 2.89 T is a "3 T" scanner; design, section 5 */

const struct config_relaxivity *config_find_relaxivity(const struct config *config, double field_t,
						       const char *product)
{
	const struct config_relaxivity *exact = NULL, *any = NULL;
	for (int i = 0; i < config->n_relaxivities; i++) {
		const struct config_relaxivity *entry = &config->relaxivities[i];
		double away_t = fabs(entry->field_t - field_t);
		if (!(away_t <= FIELD_TOLERANCE_T))
			continue;
		const struct config_relaxivity **best = NULL;
		if (!entry->product[0])
			best = &any;
		else if (strcmp(entry->product, product) == 0)
			best = &exact;
		if (best && (!*best || away_t < fabs((*best)->field_t - field_t)))
			*best = entry;
	}
	return exact ? exact : any;
}

static bool matches(const char *pattern, const regex_t *regex, const char *text)
{
	if (!pattern[0])
		return true;
	return text[0] && regexec(regex, text, 0, NULL, 0) == 0;
}

const struct config_series_rule *config_find_series_rule(const struct config *config,
							 enum config_series_role role,
							 const char *description,
							 const char *protocol, const char *sequence,
							 int echoes)
{
	for (int i = 0; i < config->n_series_rules; i++) {
		const struct config_series_rule *rule = &config->series_rules[i];
		if (rule->role == role && echoes >= rule->minimum_echoes &&
		    matches(rule->description, &rule->description_regex, description) &&
		    matches(rule->protocol, &rule->protocol_regex, protocol) &&
		    matches(rule->sequence, &rule->sequence_regex, sequence))
			return rule;
	}
	return NULL;
}

const char *config_voi_role_name(enum config_voi_role role)
{
	static const char *const names[] = {
	    [CONFIG_VOI_LIVER] = "liver",	[CONFIG_VOI_PART] = "part",
	    [CONFIG_VOI_TUMOUR] = "tumour",	[CONFIG_VOI_IGNORE] = "ignore",
	    [CONFIG_VOI_NECROSIS] = "necrosis",
	};
	return names[role];
}

enum status_code config_voi_role_of(bool *matched, enum config_voi_role *role,
				    const struct config *config, const char *name,
				    const char *code_value, const char *code_scheme,
				    struct status *st)
{
	const struct config_voi_rule *by_name[5] = {NULL};
	*matched = false;
	for (int i = 0; i < config->n_voi_rules; i++) {
		const struct config_voi_rule *rule = &config->voi_rules[i];
		if (rule->code_value[0] && strcmp(rule->code_value, code_value) == 0 &&
		    strcmp(rule->code_scheme, code_scheme) == 0) {
			if (*matched && rule->role != *role)
				return status_fail(st, STATUS_REFUSE,
						   "\"%s\": its code %s of %s stands for "
						   "both %s and %s",
						   name, code_value, code_scheme,
						   config_voi_role_name(*role),
						   config_voi_role_name(rule->role));
			*matched = true;
			*role = rule->role;
		}
		if (rule->pattern[0] && !by_name[rule->role] &&
		    matches(rule->pattern, &rule->regex, name))
			by_name[rule->role] = rule;
	}
	if (*matched)
		return STATUS_OK;
	/* "Tumour right lobe" is a tumour, "Right lobe of the liver" a part. "Liver minus GTV" is
	 * neither by its name alone: what an ignore pattern also matches is not guessed. */
	static const enum config_voi_role order[] = {CONFIG_VOI_NECROSIS, CONFIG_VOI_TUMOUR,
						     CONFIG_VOI_PART, CONFIG_VOI_LIVER};
	for (int i = 0; i < 4 && !*matched; i++) {
		*matched = by_name[order[i]] != NULL;
		*role = order[i];
	}
	const struct config_voi_rule *ignored = by_name[CONFIG_VOI_IGNORE];
	if (*matched && ignored)
		return status_fail(st, STATUS_REFUSE,
				   "\"%s\" matches both %s (%s) and ignore (%s): say in the "
				   "treatment record what it is",
				   name, config_voi_role_name(*role), by_name[*role]->pattern,
				   ignored->pattern);
	if (!*matched && ignored) {
		*matched = true;
		*role = CONFIG_VOI_IGNORE;
	}
	return STATUS_OK;
}
