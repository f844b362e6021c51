/* job_emission_parts.h - private to job_emission*.c. */
#ifndef JOB_EMISSION_PARTS_H
#define JOB_EMISSION_PARTS_H

#include "emission_series.h"
#include "job_emission.h"
#include "rigid.h"

struct emission_work {
	struct job_case *c;
	struct job_emission *made;
	struct emission_series image; /* owned */
	const struct isotope *isotope;
	struct emission_timing timing;
	bool activities_known;

	/* point of the result's frame of reference -> point of the image's; not with its own
	 * contours */
	double to_image[RIGID_SIZE];
};

/* From the image's values to the activities at the injections that feed a part (index of the VOI);
 * -1: all injections. */
double emission_factor_of_part(const struct emission_work *w, int part);

enum status_code emission_align(struct emission_work *w, struct status *st) STATUS_CHECKED;
enum status_code emission_make_figures(struct emission_work *w, struct status *st) STATUS_CHECKED;

#endif
