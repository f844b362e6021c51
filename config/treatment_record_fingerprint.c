#include "treatment_record_read.h"

#include <stdio.h>
#include <stdlib.h>

/* The record as one text, every value in a fixed place: two records with the same content have the
 * same fingerprint however they were typed. */
static void write_record(FILE *out, const struct treatment_record *record)
{
	fprintf(out, "holmia treatment record 1\n%s|%d|%s\n%s|%s\n", record->id, record->revision,
		record->entered_by, record->patient_id, record->patient_issuer);
	for (int i = 0; i < record->n_studies; i++)
		fprintf(out, "study %s\n", record->study_uid[i]);
	fprintf(out, "product %s|%.17g\nprescription %.17g|%s\nbaseline %s\n", record->product,
		record->holmium_percent, record->target_dose_gy, record->targeted_part,
		record->baseline_series_uid);
	for (int i = 0; i < record->n_positions; i++) {
		const struct record_position *p = &record->positions[i];
		fprintf(out, "position %s|%s|%s|%.17g|%d\n", p->id, p->description, p->part,
			p->planned_activity_mbq, p->planned_injections);
	}
	for (int i = 0; i < record->n_injections; i++) {
		const struct record_injection *in = &record->injections[i];
		fprintf(out,
			"injection "
			"%d|%d|%.17g|%.3f|%.17g|%.17g|%.3f|%.17g|%.3f|%.17g|%.3f|%.17g|%s|%s|%d\n",
			in->number, in->position, in->planned_percent, in->start_s,
			in->net_activity_mbq, in->prepared_activity_mbq, in->prepared_at_s,
			in->residual_activity_mbq, in->residual_at_s,
			in->specific_activity_mbq_per_mg, in->specific_activity_at_s,
			in->holmium_percent, in->vial, in->after_series_uid, in->imaged);
	}
	for (int i = 0; i < record->n_vois; i++) {
		const struct record_voi *v = &record->vois[i];
		fprintf(out, "voi %s|%s|%s|%s|%d\n", v->name, config_voi_role_name(v->role),
			v->part, v->group, v->necrosis);
	}
	for (int i = 0; i < record->n_transforms; i++) {
		const struct record_transform *t = &record->transforms[i];
		fprintf(out, "transform %s|%s|%s", t->from_uid, t->to_uid, t->provenance);
		for (int k = 0; k < 12; k++)
			fprintf(out, "|%.17g", t->matrix[k]);
		fprintf(out, "\n");
	}
}

enum status_code treatment_record_fingerprint(struct treatment_record *record, struct status *st)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		return status_fail(st, STATUS_RETRY, "no memory");
	write_record(out, record);
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(text);
		return status_fail(st, STATUS_RETRY, "no memory");
	}
	config_sha256(record->fingerprint, text, size);
	free(text);
	if (!record->fingerprint[0])
		return status_fail(st, STATUS_RETRY, "no fingerprint from libcrypto");
	return STATUS_OK;
}
