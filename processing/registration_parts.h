/* registration_parts.h - what the parts of registration share: images by level, and the metric.
 *
 * A problem is a pair of pyramids, coarsest level last. The fixed image of a level is NaN outside
 * the region, so that "NaN takes no part" is the only rule the metric knows. Part of
 * registration.h. */
#ifndef REGISTRATION_PARTS_H
#define REGISTRATION_PARTS_H

#include "registration.h"
#include "registration_block.h"

/* ---- region (registration_region.c) ---- */

/* A mask widened by a margin, as cells of a few voxels in the mask's own directions. */
struct registration_region {
	struct grid cells; /* voxels of this grid are the cells */
	unsigned char *inside;
	int size[3];
};

/* STATUS_REFUSE: the mask is empty. STATUS_RETRY: memory. Freed with free(inside). */
enum status_code registration_region_new(struct registration_region *region,
					 const struct mask *mask, double margin_mm,
					 struct status *st) STATUS_CHECKED;

/* The part of a grid that the region can reach, widened by pad_mm and cut to the grid: first and
 * last voxels. False where they do not meet. */
bool registration_region_bounds(const struct registration_region *region, const struct grid *grid,
				double pad_mm, int first[3], int last[3]);

/* Everything is inside a region that is not there. */
bool registration_region_has(const struct registration_region *region, const double patient_mm[3]);

/* Makes NaN of what lies outside. */
void registration_region_cut(struct volume *volume, const struct registration_region *region,
			     int threads);

/* ---- smoothing (registration_filter.c) ---- */

/* What happens to one axis: every step-th sample is kept, or finer - 1 are put between two. */
struct registration_change {
	int step, finer;
	double variance; /* samples squared */
};

/* Smooths with Gaussians of at most 70 samples squared; an axis without variance is left as it is,
 * out is empty if all are. The end samples are repeated beyond the ends; samples without a value
 * take no part. STATUS_RETRY: memory. */
enum status_code registration_smooth(struct volume *out, const struct volume *in,
				     const struct registration_change changes[3], int threads,
				     struct status *st) STATUS_CHECKED;

/* ---- levels (registration_level.c) ---- */

enum { REGISTRATION_MOST_LEVELS = 4 };

/* The columns of a row where a value may be: from begin to before end. */
struct registration_extent {
	int begin, end;
};

struct registration_level {
	struct volume fixed, moving;
	double spacing_mm;		  /* geometric mean of fixed's */
	size_t voxels;			  /* of fixed with a value */
	struct registration_extent *rows; /* of fixed; owned */
	double alike; /* so many neighbouring voxels tell as much as one alone */
};

struct registration_problem {
	struct registration_level levels[REGISTRATION_MOST_LEVELS]; /* finest first */
	int n_levels;
	struct registration_region region;     /* inside NULL: everything */
	float fixed_range[2], moving_range[2]; /* what values were clipped to */
	double variance_mm2;		       /* of the finest smoothed level */
	double centre_mm[3];		       /* of the region, in fixed's frame */
	double corners_mm[8][3];	       /* of a box around it */
	enum registration_metric metric;
	int threads;
	const struct registration_code *code;
};

/* Region and levels of a problem that is all zero: cuts, clips, smooths and halves. On a fault the
 * problem is freed. */
enum status_code registration_levels_new(struct registration_problem *problem,
					 const struct registration_input *input,
					 const double start[RIGID_SIZE],
					 struct status *st) STATUS_CHECKED;
void registration_problem_free(struct registration_problem *problem);

/* Brightness at positions 0.5 % and 99.5 % of the values, widened by so much of their distance each
 * way; false where there are fewer than 2 values or all are alike. scratch: room for as many. */
bool registration_range(float range[2], float *values, size_t n, float *scratch, double wider);

/* ---- metric (registration_metric.c, registration_squares.c, registration_mutual.c) ---- */

/* Where the search stands. */
struct registration_place {
	double transform[RIGID_SIZE];
	double brightness;     /* least squares: of the moving image */
	double inverse_square; /* least squares: 1 / outlier threshold squared; 0: none */
};

/* The metric there, per voxel: value, slope and curvature for a small shift and turn (about the
 * centre's place in the moving image) applied after the transform. */
struct registration_slope {
	double value;
	double slope[REGISTRATION_UNKNOWNS];
	double curvature[REGISTRATION_UNKNOWNS][REGISTRATION_UNKNOWNS];
	double voxels;
	double spread; /* when asked for: a robust SD of the residual where there is structure */
};

/* What mutual information learned of the two images' values. */
struct registration_joint {
	struct registration_scale fixed, moving;
	float table[REGISTRATION_BINS * REGISTRATION_BIN_ROW];
	float information[REGISTRATION_BINS * REGISTRATION_BIN_ROW]; /* one per row, at its start */
};

/* How a metric looks at a level: every sparse-th row; voxels also must have a value under `also`
 * (may be NULL). */
struct registration_view {
	const struct registration_problem *problem;
	const struct registration_level *level;
	int sparse;
	const double *also;
	bool spread;			  /* least squares: wanted */
	struct registration_joint *joint; /* mutual information: filled by the evaluation */
};

/* STATUS_RETRY: memory. */
enum status_code registration_evaluate(struct registration_slope *slope,
				       const struct registration_view *view,
				       const struct registration_place *place,
				       struct status *st) STATUS_CHECKED;

/* The lines of a level's rows under a transform. */
struct registration_geometry {
	double matrix[3][3], offset[3]; /* fixed voxel -> moving voxel */
	double arm_matrix[3][3], arm_offset[3];
	struct registration_source source;
};

void registration_geometry_of(struct registration_geometry *geometry,
			      const struct registration_level *level, const double centre_mm[3],
			      const double transform[RIGID_SIZE]);
void registration_line_of(struct registration_line *line,
			  const struct registration_geometry *geometry, int column, int row,
			  int slice);

/* Adds the lanes of each sum in order and clears them. */
void registration_flush(double sums[REGISTRATION_SUMS], struct registration_lanes *lanes);

/* ---- search (registration_search.c) ---- */

struct registration_search {
	struct registration_view view;
	size_t enough;	     /* voxels of a level to look at */
	double tolerance_mm; /* a step that moves no corner farther ends the search */
	int most_steps;
	int evaluations; /* added to */
	bool converged;
	struct registration_slope at; /* at the answer */
};

/* Improves the place. */
enum status_code registration_descend(struct registration_search *search,
				      struct registration_place *place,
				      struct status *st) STATUS_CHECKED;

/* Solves matrix * x = right, symmetric and positive, n <= REGISTRATION_UNKNOWNS; false otherwise.
 */
bool registration_solve(double *x, double matrix[REGISTRATION_UNKNOWNS][REGISTRATION_UNKNOWNS],
			const double *right, int n);

/* Largest distance between two transforms over the region's corners. */
double registration_apart_mm(const struct registration_problem *problem, const double a[RIGID_SIZE],
			     const double b[RIGID_SIZE]);

/* ---- residual (registration_residual.c) ---- */

enum status_code registration_residual(double *residual_mm,
				       const struct registration_problem *problem,
				       const struct registration_place *place,
				       struct status *st) STATUS_CHECKED;

#endif
