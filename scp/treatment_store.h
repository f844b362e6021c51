/* treatment_store.h - treatment records as they were entered, and the last assessment of every
 * treatment.
 *
 * records: every revision that was ever accepted, as the XML text itself with who and when; the
 * highest revision of an id is the one in force. A record is never changed in place and never
 * deleted: a higher revision replaces it, withdrawing marks it.
 *
 *   (none) --record_add--> in force --record_add, higher revision--> in force (older: audit)
 *                             |--record_withdraw--> withdrawn: not assessed any more
 *   withdrawn --record_add, higher revision--> in force
 *
 * treatments: one row per record in force (and one per patient with usable images but no record),
 * rewritten by the planner at each assessment; `holmia status` shows it. A treatment's key is made
 * by treatment_key_make(). */
#ifndef TREATMENT_STORE_H
#define TREATMENT_STORE_H

#include "store.h"
#include "treatment_record.h"

/* "RECORD|PATIENT|ISSUER"; record "" for a patient without one. */
void treatment_key_make(char key[420], const char *record_id, const char *patient_id,
			const char *patient_issuer);

/* Part of the caller's transaction. xml is the text that record was read from. STATUS_REFUSE with
 * words: this revision or a higher one of the id is here already, or the id belongs to another
 * patient. */
enum status_code record_add(struct store *store, const struct treatment_record *record,
			    const char *xml, double now_s, struct status *st) STATUS_CHECKED;

/* The revision in force, read again from its XML. STATUS_REFUSE: no such record, or withdrawn. */
enum status_code record_load(struct treatment_record *record, struct store *store,
			     const char *record_id, struct status *st) STATUS_CHECKED;

enum status_code record_withdraw(struct store *store, const char *record_id, double now_s,
				 struct status *st) STATUS_CHECKED;

struct record_row {
	char record_id[132], patient_id[200], patient_issuer[200], entered_by[132], fingerprint[65];
	int revision;
	bool withdrawn;
	double added_s;
};
/* Records in force (of one patient; patient_id NULL: all, withdrawn ones too), oldest first;
 * malloc'd for the caller. */
enum status_code record_list(struct record_row **rows, int *count, struct store *store,
			     const char *patient_id, const char *patient_issuer,
			     struct status *st) STATUS_CHECKED;
/* The XML text of the revision in force; malloc'd for the caller. */
enum status_code record_text(char **xml, struct store *store, const char *record_id,
			     struct status *st) STATUS_CHECKED;

/* Texts of several lines hold one entry per line. */
struct treatment_row {
	char treatment_key[420], patient_id[200], patient_issuer[200], record_id[132];
	int record_revision;
	char state[16]; /* collecting, ready, refused */
	char waits_for[512];
	char slots[4000]; /* "after 2: series 5 "...", complete" */
	char warnings[8000];
	char unused[16000];
	int n_after, planned_injections;
	bool report_ready;
	double updated_s;
	double complete_since_s; /* when the newest after-series was first complete; NaN none */
	int complete_n_after;	 /* ... and which one that was */
	int recompute_serial;	 /* kept by treatment_row_save() */
};
enum status_code treatment_row_save(struct store *store, const struct treatment_row *row,
				    struct status *st) STATUS_CHECKED;
/* found false: no such treatment; the row is zeroed then. */
enum status_code treatment_row_load(bool *found, struct treatment_row *row, struct store *store,
				    const char *key, struct status *st) STATUS_CHECKED;
/* With its alarms. */
enum status_code treatment_row_delete(struct store *store, const char *key,
				      struct status *st) STATUS_CHECKED;
enum status_code treatment_row_list(struct treatment_row **rows, int *count, struct store *store,
				    struct status *st) STATUS_CHECKED;

/* holmia recompute: from now on the hashes of its jobs carry the next serial number. key: of a
 * treatment, or a record id, or a Patient ID (all its treatments). STATUS_REFUSE: no such
 * treatment. */
enum status_code treatment_recompute(struct store *store, const char *key,
				     struct status *st) STATUS_CHECKED;

#endif
