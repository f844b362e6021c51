/* job_emission.h - the SPECT or PET of a report: loaded, aligned, its figures beside MRI's.
 *
 * Alignment, the first that applies: a transform of the treatment record; a Spatial Registration
 * object that joins the image (or its frame of reference) with the result's; one frame of reference
 * for both, taken as it is and said so; contours drawn in the image's own frame of reference, whose
 * regions are compared by name without aligning anything. Without any of these there are no
 * figures: across frames of reference the identity is never a fallback.
 *
 * Masks are carried onto the image's voxels, by their share in each, so activities add up. The
 * decay is taken back to the effective time of the injections that feed a region (emission.h). */
#ifndef JOB_EMISSION_H
#define JOB_EMISSION_H

#include "job_parts.h"
#include "measurement_report_emission.h"

/* What may go wrong is said as a warning (HO140) and the report is made without; only lack of
 * memory, disk or sense stops it. After dosimetry_run(); c->emission stays NULL without an image.
 */
enum status_code job_emission_run(struct job_case *c, struct status *st) STATUS_CHECKED;
void job_emission_free(struct job_case *c);

struct job_emission {
	struct report_emission report;
	struct report_emission_voi vois[DOSIMETRY_MAX_VOIS];
	const struct catalogue_series *series; /* borrowed from the patient */
	/* What it was aligned by; NULL: nothing. Borrowed from the patient. */
	const struct catalogue_instance *registration, *contours;
};

#endif
