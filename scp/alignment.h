/* alignment.h - one image of a treatment laid upon another: found or kept, and then judged.
 *
 * Between two scans the patient breathes, moves, or leaves the scanner. alignment_find() gives the
 * rigid transform from the fixed image to the moving one (registration.h) and says how far to trust
 * it. What the registration answered is kept in <spool>/maps/<key>.rig (alignment_cache.h), so that
 * the maps and the report of a treatment share it. What is made of the answer:
 *
 *   one frame of reference    kept if the search converged and found better than no motion; else
 *                             no motion. Not converged, no structure to hold on to, or a residual
 *                             above the limit: said (uncertain), and results are made
 *   two frames of reference   no motion is never an answer. Not converged, starts that end in
 *                             different places, a residual above twice the limit, or a turn that no
 *                             patient makes: refused, with what to do
 *
 * The limit is the configured one (residual-limit-mm); several starts may end three limits apart,
 * because they are searched on coarse voxels. Where they end farther apart, whole searches from
 * aside decide: all but one must come back, and an answer elsewhere counts when its metric is about
 * as good. Nothing here reads
 * DICOM or the database. */
#ifndef ALIGNMENT_H
#define ALIGNMENT_H

#include "registration.h"

/* One of the two images. */
struct alignment_image {
	const struct volume *volume;
	const char *name;     /* "baseline", "series after injection 3", "anatomy" */
	const char *evidence; /* what the image was made of: part of the key */
	/* Fills the samples of volume when they are needed, which they are not where the answer is
	 * kept; NULL: they are there. */
	enum status_code (*load)(void *user, struct status *st);
	void *user;
};

struct alignment_request {
	struct alignment_image fixed, moving;
	enum registration_metric metric;
	const struct mask *region;   /* on any grid of the fixed frame; NULL: everything */
	const char *region_evidence; /* "" without a region */
	double margin_mm, limit_mm;
	const char *spool;
	bool anew; /* do not look into the cache */
	int threads;
};

struct alignment {
	double transform[RIGID_SIZE]; /* fixed -> moving; identity where no motion was taken */
	bool moved;		      /* the transform is not the identity */
	double residual_mm;	      /* NaN: not known */
	double capture_spread_mm, metric_start, metric_end; /* of what was computed; NaN */
	bool kept;					    /* it came from the cache */
	bool uncertain;					    /* worth a warning: words say why */
	char words[200];
};

/* STATUS_REFUSE, in words: two frames of reference that could not be aligned. STATUS_RETRY: memory,
 * or the spool cannot be read or written just now. */
enum status_code alignment_find(struct alignment *alignment,
				const struct alignment_request *request,
				struct status *st) STATUS_CHECKED;

/* The rules above, on what a registration answered. failed: its words where it could not even
 * begin, else "". */
enum status_code alignment_judge(struct alignment *alignment,
				 const struct registration_result *answer, const char *failed,
				 const struct alignment_request *request,
				 struct status *st) STATUS_CHECKED;

#endif
