#include "control.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"
#include "outbox.h"
#include "planner.h"
#include "queue.h"
#include "treatment_store.h"
#include "worker.h"

static int fail(FILE *out, const struct status *st)
{
	fprintf(out, "holmia: %s\n", st->text);
	return (int)st->code;
}

static enum status_code plan(struct store *store, const struct config *config,
			     const char *patient_id, const char *patient_issuer,
			     struct control_effects *effects, struct status *st)
{
	int jobs = 0;
	double look_again_s;
	if (planner_plan_patient(store, config, patient_id, patient_issuer, worker_clock_s(), &jobs,
				 &look_again_s, st) == STATUS_OK)
		effects->jobs += jobs;
	return st->code;
}

/* ---- treatment records ---- */

static void say_state(FILE *out, struct store *store, const struct treatment_record *record,
		      struct status *st)
{
	char key[420];
	bool found = false;
	struct treatment_row *row = malloc(sizeof *row);
	treatment_key_make(key, record->id, record->patient_id, record->patient_issuer);
	if (row != NULL && treatment_row_load(&found, row, store, key, st) == STATUS_OK && found)
		fprintf(out, "treatment is %s%s%s\n", row->state, row->waits_for[0] ? ": " : "",
			row->waits_for);
	free(row);
}

static enum status_code add_record(FILE *out, struct store *store, const struct config *config,
				   struct treatment_record *record, const char *xml,
				   struct control_effects *effects, struct status *st)
{
	if (store_begin(store, st) != STATUS_OK)
		return st->code;
	(void)!record_add(store, record, xml, worker_clock_s(), st);
	if (store_finish(store, st) != STATUS_OK)
		return st->code;
	fprintf(out, "record \"%s\" revision %d of patient \"%s\": %d injections\n", record->id,
		record->revision, record->patient_id, record->n_injections);
	if (plan(store, config, record->patient_id, record->patient_issuer, effects, st) ==
	    STATUS_OK)
		say_state(out, store, record, st);
	return st->code;
}

static int treatment_add(FILE *out, struct store *store, const struct config *config,
			 const char *name, const char *xml, struct control_effects *effects)
{
	struct status st = STATUS_INIT;
	struct config_faults faults = {0};
	int code = 0;
	struct treatment_record *record = malloc(sizeof *record);
	if (record == NULL) {
		status_fail(&st, STATUS_RETRY, "no memory for a treatment record");
		return fail(out, &st);
	}
	bool read =
	    treatment_record_read_memory(record, &faults, xml, strlen(xml), name, &st) == STATUS_OK;
	for (int i = 0; i < faults.count; i++) {
		char line[600];
		config_fault_format(line, sizeof line, name, &faults.faults[i]);
		fprintf(out, "%s\n", line);
	}
	if (!read)
		code = faults.errors > 0 ? 1 : fail(out, &st);
	else if (add_record(out, store, config, record, xml, effects, &st) != STATUS_OK)
		code = fail(out, &st);
	config_faults_free(&faults);
	free(record);
	return code;
}

static int treatment_withdraw(FILE *out, struct store *store, const struct config *config,
			      const char *record_id, struct control_effects *effects)
{
	struct status st = STATUS_INIT;
	struct record_row *rows = NULL;
	int count = 0;
	char key[420];
	if (store_begin(store, &st) != STATUS_OK)
		return fail(out, &st);
	(void)!record_withdraw(store, record_id, worker_clock_s(), &st);
	(void)!record_list(&rows, &count, store, NULL, NULL, &st);
	for (int i = 0; i < count && st.code == STATUS_OK; i++)
		if (strcmp(rows[i].record_id, record_id) == 0) {
			treatment_key_make(key, record_id, rows[i].patient_id,
					   rows[i].patient_issuer);
			if (queue_supersede(store, key, NULL, 0, worker_clock_s(), &st) ==
			    STATUS_OK)
				(void)!treatment_row_delete(store, key, &st);
		}
	(void)!store_finish(store, &st);
	for (int i = 0; i < count && st.code == STATUS_OK; i++)
		if (strcmp(rows[i].record_id, record_id) == 0)
			(void)!plan(store, config, rows[i].patient_id, rows[i].patient_issuer,
				    effects, &st);
	free(rows);
	if (st.code != STATUS_OK)
		return fail(out, &st);
	fprintf(out,
		"record \"%s\" withdrawn: nothing more is computed from it. Results that were "
		"made are delivered and stay where they are; withdraw them in the PACS.\n",
		record_id);
	return 0;
}

/* ---- again, deliveries, quarantine ---- */

static int recompute(FILE *out, struct store *store, const struct config *config, const char *key,
		     struct control_effects *effects)
{
	struct status st = STATUS_INIT;
	struct treatment_row *rows = NULL;
	int count = 0, before = effects->jobs;
	if (treatment_recompute(store, key, &st) != STATUS_OK ||
	    treatment_row_list(&rows, &count, store, &st) != STATUS_OK)
		return fail(out, &st);
	for (int i = 0; i < count && st.code == STATUS_OK; i++)
		if (strcmp(rows[i].treatment_key, key) == 0 ||
		    strcmp(rows[i].record_id, key) == 0 || strcmp(rows[i].patient_id, key) == 0)
			(void)!plan(store, config, rows[i].patient_id, rows[i].patient_issuer,
				    effects, &st);
	free(rows);
	if (st.code != STATUS_OK)
		return fail(out, &st);
	fprintf(out, "%d jobs queued\n", effects->jobs - before);
	return 0;
}

/* False: not a number. */
static bool parse_id(int64_t *id, const char *text)
{
	char *end = NULL;
	*id = strtoll(text, &end, 10);
	return end != text && *end == '\0' && *id >= 0;
}

static int resend(FILE *out, struct store *store, const char *which,
		  struct control_effects *effects)
{
	struct status st = STATUS_INIT;
	int64_t id = -1;
	int count = 0;
	if (strcmp(which, "all") != 0 && !parse_id(&id, which)) {
		fprintf(out,
			"holmia: resend: \"%s\" is neither the number of a delivery nor \"all\"\n",
			which);
		return 2;
	}
	if (outbox_resend(store, id, &count, worker_clock_s(), &st) != STATUS_OK)
		return fail(out, &st);
	effects->deliveries = count > 0;
	fprintf(out, "%d deliveries queued again\n", count);
	return 0;
}

/* One instance, or every quarantined one of its series and patient. */
static enum status_code decide(int *count, struct catalogue_patient_key *key, struct store *store,
			       int64_t id, bool release, bool series, struct status *st)
{
	struct catalogue_note *notes = NULL;
	const struct catalogue_note *named = NULL;
	int n_notes = 0;
	*count = 0;
	if (catalogue_list_notes(&notes, &n_notes, store, CATALOGUE_STATE_QUARANTINED, st) !=
	    STATUS_OK)
		return st->code;
	for (int i = 0; i < n_notes && !named; i++)
		named = notes[i].id == id ? &notes[i] : NULL;
	for (int i = 0; i < n_notes && named && st->code == STATUS_OK; i++) {
		bool mate = strcmp(notes[i].series_instance_uid, named->series_instance_uid) == 0 &&
			    strcmp(notes[i].patient_id, named->patient_id) == 0;
		if (notes[i].id != id && !(series && mate))
			continue;
		(*count)++;
		if (release)
			(void)!catalogue_quarantine_release(key, store, notes[i].id, st);
		else
			(void)!catalogue_quarantine_drop(store, notes[i].id, st);
	}
	free(notes);
	if (*count == 0 && st->code == STATUS_OK)
		return status_fail(st, STATUS_REFUSE,
				   "nothing is quarantined as %" PRId64
				   "; `holmia quarantine list` shows what is",
				   id);
	return st->code;
}

/* The patient whose instances are used from now on, and those they were taken from. */
static enum status_code plan_released(struct store *store, const struct config *config,
				      const struct catalogue_patient_key *key,
				      struct control_effects *effects, struct status *st)
{
	struct catalogue_patient_key *mates = NULL;
	int count = 0;
	if (catalogue_list_study_mates(&mates, &count, store, key->patient_id, key->patient_issuer,
				       st) == STATUS_OK)
		(void)!plan(store, config, key->patient_id, key->patient_issuer, effects, st);
	for (int i = 0; i < count && st->code == STATUS_OK; i++)
		(void)!plan(store, config, mates[i].patient_id, mates[i].patient_issuer, effects,
			    st);
	free(mates);
	return st->code;
}

static int quarantine(FILE *out, struct store *store, const struct config *config,
		      const char *which, bool release, bool series, struct control_effects *effects)
{
	struct status st = STATUS_INIT;
	struct catalogue_patient_key key;
	int count = 0;
	int64_t id;
	if (!parse_id(&id, which)) {
		fprintf(out,
			"holmia: quarantine: \"%s\" is not the number of an instance; `holmia "
			"quarantine list` shows "
			"them\n",
			which);
		return 2;
	}
	if (store_begin(store, &st) != STATUS_OK)
		return fail(out, &st);
	(void)!decide(&count, &key, store, id, release, series, &st);
	if (store_finish(store, &st) != STATUS_OK)
		return fail(out, &st);
	if (release && plan_released(store, config, &key, effects, &st) != STATUS_OK)
		return fail(out, &st);
	fprintf(out,
		release ? "%d instance%s used from now on, in the place of the older\n"
			: "%d instance%s not used; the bytes stay in the reception log\n",
		count, count == 1 ? " is" : "s are");
	return 0;
}

int control_execute(FILE *out, struct store *store, const struct config *config, int argc,
		    const char *const *argv, struct control_effects *effects)
{
	const char *name = argv[0];
	if (strcmp(name, "ping") == 0 && argc == 1) {
		fprintf(out, "running\n");
		return 0;
	}
	if (strcmp(name, "treatment-add") == 0 && argc == 3)
		return treatment_add(out, store, config, argv[1], argv[2], effects);
	if (strcmp(name, "treatment-withdraw") == 0 && argc == 2)
		return treatment_withdraw(out, store, config, argv[1], effects);
	if (strcmp(name, "recompute") == 0 && argc == 2)
		return recompute(out, store, config, argv[1], effects);
	if (strcmp(name, "resend") == 0 && argc == 2)
		return resend(out, store, argv[1], effects);
	bool series = argc == 3 && strcmp(argv[2], "series") == 0;
	if (strcmp(name, "quarantine-release") == 0 && (argc == 2 || series))
		return quarantine(out, store, config, argv[1], true, series, effects);
	if (strcmp(name, "quarantine-drop") == 0 && (argc == 2 || series))
		return quarantine(out, store, config, argv[1], false, series, effects);
	fprintf(out, "holmia: the node does not know the command \"%s\": is it another version?\n",
		name);
	return 2;
}
