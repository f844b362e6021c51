/* job_parts.h - what the files of the job share; not for other rooms.
 *
 *   job.c          the page: load -> dosimetry_run -> build -> put
 *   job_load.c     catalogue, record, roles, R2* maps, masks -> dosimetry input
 *   job_build.c    evidence and figures -> result objects in memory
 *   job_report.c   the measurement report's own part of that
 *   job_hash.c     what makes two jobs the same
 *   map_cache.c, result_file.c   files */
#ifndef JOB_PARTS_H
#define JOB_PARTS_H

#include "dosimetry.h"
#include "job.h"
#include "map_cache.h"
#include "measurement_report.h"
#include "mr_series.h"
#include "treatment.h"

#define JOB_MAX_OBJECTS	 1
#define JOB_MAX_WARNINGS (TREATMENT_MAX_WARNINGS + 3 * DOSIMETRY_MAX_VOIS)

/* A series of the job: its rows, arranged, and its map. */
struct job_scan {
	const struct catalogue_series *series; /* borrowed from the patient */
	struct mr_series arranged;
	struct kept_map kept;
	int after_injection;
};

/* Everything a MAP or REPORT works on. Made zeroed; job_case_free() frees what is there. */
struct job_case {
	const struct config *config;
	struct store *store;
	const struct job *job;
	bool superseded; /* st then says by what */

	struct catalogue_patient *patient;
	struct treatment_record record;
	struct catalogue_instance structure_instance;
	struct rt_structure_set structure_set;
	bool has_structure_set;
	struct treatment_slots slots; /* roles, injections, warnings */

	struct job_scan baseline, after[DOSIMETRY_MAX_SCANS], anatomy;
	bool has_anatomy;
	const struct job_scan *shown_over; /* anatomy or baseline: its slices are the result grid */

	struct mask mask[DOSIMETRY_MAX_VOIS]; /* n_contoured of them, in order of slots.vois */
	int n_contoured;
	struct dosimetry_voi voi[DOSIMETRY_MAX_VOIS];
	struct dosimetry_scan scan[DOSIMETRY_MAX_SCANS];
	struct dosimetry_injection injection[DOSIMETRY_MAX_INJECTIONS];
	struct dosimetry_input input;
	struct dosimetry_params params;
	struct dosimetry_result result;

	struct report_warning warnings[JOB_MAX_WARNINGS];
	int n_warnings;
};

/* One series -> its map, from the cache or fitted and then kept. kept may be NULL: only make sure
 * that it is there. anew: do not look into the cache. *fit_s grows by the time that fitting took.
 */
enum status_code job_fit_series(struct kept_map *kept, const struct config *config,
				const struct job_scan *scan, bool anew, double *fit_s,
				struct status *st) STATUS_CHECKED;

/* Finds and arranges a series; superseded when it is not what the job was made for. */
enum status_code job_find_series(struct job_scan *scan, bool *superseded,
				 const struct catalogue_patient *patient,
				 const struct job_series *wanted, struct status *st) STATUS_CHECKED;

/* Fills a case up to and including its dosimetry input. */
enum status_code job_load(struct job_case *c, double *fit_s, struct status *st) STATUS_CHECKED;
void job_case_free(struct job_case *c);

void job_warn(struct job_case *c, const char *code, const char *format, ...) STATUS_PRINTF(3, 4);

/* What is put: the object, and the figures beside it. */
struct job_object {
	char sop_class_uid[65], sop_instance_uid[65], series_instance_uid[65],
	    study_instance_uid[65];
	uint8_t *bytes; /* owned, a DICOM file */
	size_t size;
	char *figures_json, *figures_table; /* owned */
	size_t figures_json_size, figures_table_size;
};
enum status_code job_build(struct job_object *object, const struct job_case *c,
			   struct status *st) STATUS_CHECKED;
void job_object_free(struct job_object *object);

/* job_report.c; evidence with room for the RT Doses of the time points behind its series. */
struct job_evidence {
	struct evidence evidence;
	struct evidence_series series[2 * DOSIMETRY_MAX_SCANS + 4];
	struct evidence_instance *instances[2 * DOSIMETRY_MAX_SCANS + 4]; /* owned */
	struct evidence_instance *grid_images;				  /* owned */
	struct dataset *study_header;					  /* owned */
};
enum status_code job_build_report(struct dataset **ds, char uid[65], struct job_evidence *evidence,
				  const struct job_case *c, struct status *st) STATUS_CHECKED;

#endif
