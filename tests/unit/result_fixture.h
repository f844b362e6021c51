/* result_fixture.h - a small made-up treatment, for the tests of the objects that holmia writes.
 *
 * A study header with a name that ASCII cannot write, an anatomy of FIXTURE_SLICES slices, a
 * baseline and one series per injection in the same study, a structure set in another study.
 * Everything is static: build it once per program. */
#ifndef RESULT_FIXTURE_H
#define RESULT_FIXTURE_H

#include <stdlib.h>

#include "dataset.h"
#include "evidence.h"
#include "grid.h"
#include "tags.h"

#define FIXTURE_COLUMNS 32
#define FIXTURE_ROWS	24
#define FIXTURE_SLICES	8
#define FIXTURE_SCANS	4

#define FIXTURE_STUDY	    "2.25.1001"
#define FIXTURE_OTHER_STUDY "2.25.1002"
#define FIXTURE_FRAME	    "2.25.1003"
#define FIXTURE_MR	    "1.2.840.10008.5.1.4.1.1.4"

struct result_fixture {
	struct dataset *header;
	struct result_identity identity;
	struct evidence_instance anatomy[FIXTURE_SLICES];
	struct evidence_instance scans[1 + FIXTURE_SCANS][FIXTURE_SLICES];
	struct evidence_instance structure_set;
	struct evidence_instance doses[FIXTURE_SCANS];
	struct evidence_series series[3 + 2 * FIXTURE_SCANS];
	struct evidence evidence;
	struct grid grid;
};

static inline void fixture_set(struct dataset *ds, uint32_t tag, const char *value)
{
	struct status st = STATUS_INIT;
	assert_ok(dataset_set_string(ds, AT(tag), value, &st), &st);
}

static inline void fixture_series(struct result_fixture *f, int index, enum evidence_role role,
				  int after, const char *study, const char *modality,
				  const char *description, struct evidence_instance *instances,
				  int count, const char *sop_class)
{
	struct evidence_series *series = &f->series[index];

	series->role = role;
	series->after_injection = after;
	snprintf(series->study_instance_uid, sizeof series->study_instance_uid, "%s", study);
	snprintf(series->series_instance_uid, sizeof series->series_instance_uid, "2.25.20%02d",
		 index);
	snprintf(series->modality, sizeof series->modality, "%s", modality);
	snprintf(series->description, sizeof series->description, "%s", description);
	snprintf(series->acquired, sizeof series->acquired, "202611230%d3000.000000+0100",
		 index % 10);
	series->instances = instances;
	series->n_instances = count;
	for (int i = 0; i < count; i++) {
		snprintf(instances[i].sop_class_uid, 65, "%s", sop_class);
		snprintf(instances[i].sop_instance_uid, 65, "2.25.30%02d%03d", index, i);
	}
}

static inline void fixture_header(struct result_fixture *f)
{
	struct status st = STATUS_INIT;

	assert_ok(dataset_new(&f->header, &st), &st);
	fixture_set(f->header, TAG_SpecificCharacterSet, "ISO_IR 192");
	fixture_set(f->header, TAG_PatientName, "J\xc3\xb8rgensen^\xc3\x85se");
	fixture_set(f->header, TAG_PatientID, "TEST-0001");
	fixture_set(f->header, TAG_IssuerOfPatientID, "HOSPITAL");
	fixture_set(f->header, TAG_PatientBirthDate, "19520304");
	fixture_set(f->header, TAG_PatientSex, "F");
	fixture_set(f->header, TAG_StudyInstanceUID, FIXTURE_STUDY);
	fixture_set(f->header, TAG_StudyDate, "20261123");
	fixture_set(f->header, TAG_StudyTime, "090000");
	fixture_set(f->header, TAG_StudyID, "S1");
	fixture_set(f->header, TAG_AccessionNumber, "ACC42");
	fixture_set(f->header, TAG_StudyDescription, "MR liver, 166Ho");
	fixture_set(f->header, TAG_Modality, "MR");
	fixture_set(f->header, TAG_Manufacturer, "Maker");
	fixture_set(f->header, TAG_ManufacturerModelName, "Scanner 3T");
	fixture_set(f->header, TAG_StationName, "MR1");
}

/* Slices along rising z unless reversed; the grid is axial with 3 x 2 x 5 mm voxels (columns, rows,
 * slices). */
static inline void fixture_make(struct result_fixture *f, bool reversed)
{
	static char text[40];

	memset(f, 0, sizeof *f);
	fixture_header(f);
	snprintf(f->identity.job_hash, sizeof f->identity.job_hash, "%064d", 166);
	strcpy(f->identity.created_datetime, "20261123143005");
	strcpy(f->identity.utc_offset, "+0100");
	strcpy(f->identity.ae_title, "HOLMIA");
	strcpy(f->identity.station_name, "holmia-1");
	strcpy(f->identity.intended_use, "For research; not a certified medical device");
	f->identity.version = 1;
	strcpy(f->identity.software_version, "0.1.0");

	fixture_series(f, 0, EVIDENCE_ANATOMY, 0, FIXTURE_STUDY, "MR", "T1w", f->anatomy,
		       FIXTURE_SLICES, FIXTURE_MR);
	fixture_series(f, 1, EVIDENCE_BASELINE, 0, FIXTURE_STUDY, "MR", "multi-echo before",
		       f->scans[0], FIXTURE_SLICES, FIXTURE_MR);
	fixture_series(f, 2, EVIDENCE_VOIS, 0, FIXTURE_OTHER_STUDY, "RTSTRUCT", "contours",
		       &f->structure_set, 1, "1.2.840.10008.5.1.4.1.1.481.3");
	for (int k = 1; k <= FIXTURE_SCANS; k++) {
		snprintf(text, sizeof text, "multi-echo after %d", k);
		fixture_series(f, 1 + 2 * k, EVIDENCE_AFTER, k, FIXTURE_STUDY, "MR", text,
			       f->scans[k], FIXTURE_SLICES, FIXTURE_MR);
		snprintf(text, sizeof text, "dose after %d", k);
		fixture_series(f, 2 + 2 * k, EVIDENCE_RESULT, k, FIXTURE_STUDY, "RTDOSE", text,
			       &f->doses[k - 1], 1, "1.2.840.10008.5.1.4.1.1.481.2");
	}
	f->evidence.study_header = f->header;
	strcpy(f->evidence.frame_of_reference_uid, FIXTURE_FRAME);
	f->evidence.series = f->series;
	f->evidence.n_series = 3 + 2 * FIXTURE_SCANS;
	f->evidence.identity = &f->identity;
	f->evidence.grid_images = f->anatomy;
	f->evidence.n_grid_images = FIXTURE_SLICES;

	f->grid = (struct grid){.columns = FIXTURE_COLUMNS,
				.rows = FIXTURE_ROWS,
				.slices = FIXTURE_SLICES,
				.origin_mm = {-48.25, -24.5, reversed ? 35.0 : 0.0},
				.column_step_mm = {3.0, 0.0, 0.0},
				.row_step_mm = {0.0, 2.0, 0.0},
				.slice_step_mm = {0.0, 0.0, reversed ? -5.0 : 5.0}};
	strcpy(f->grid.frame_of_reference, FIXTURE_FRAME);
}

static inline void fixture_free(struct result_fixture *f)
{
	dataset_free(f->header);
}

/* Objects for the validators are kept when HOLMIA_TEST_OUT names a folder. */
static inline void fixture_keep(struct dataset *ds, const char *name)
{
	struct status st = STATUS_INIT;
	const char *folder = getenv("HOLMIA_TEST_OUT");
	char path[1100];

	if (!folder || !folder[0])
		return;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	assert_ok(dataset_write_file(ds, path, &st), &st);
}

static inline void fixture_assert_text(const struct dataset *ds, struct dataset_path path,
				       const char *expected)
{
	struct status st = STATUS_INIT;
	char text[2000];

	assert_ok(dataset_get_string(ds, path, text, sizeof text, &st), &st);
	assert_string_equal(text, expected);
}

#endif
