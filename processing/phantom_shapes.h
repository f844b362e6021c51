/* phantom_shapes.h - what the phantom's own files share; nobody else needs it. Points are local
 * (see phantom.h). */
#ifndef PHANTOM_SHAPES_H
#define PHANTOM_SHAPES_H

#include "phantom.h"

double phantom_smooth_step(double t);
double phantom_ellipsoid_distance_mm(const struct phantom_ellipsoid *shape, const double point[3]);
void phantom_to_local(const struct phantom_model *model, const double patient_mm[3],
		      double local[3]);
double phantom_liver_distance_mm(const struct phantom_model *model, const double local[3]);
double phantom_cut_distance_mm(const struct phantom_model *model, const double local[3]);
void phantom_local_weights(double weights[PHANTOM_MAX_FIELDS], const struct phantom_model *model,
			   const double local[3]);

/* 1 in the right part, 2 in the left one; 0 without parts. */
int phantom_part_of(const struct phantom_model *model, int tumour);
/* True when a tumour's w is not 1 everywhere inside. */
bool phantom_tumour_uneven(const struct phantom_tumour *tumour);

/* Kinds of tissue; only liver and tumour can hold microspheres. */
enum phantom_tissue_kind {
	PHANTOM_AIR,
	PHANTOM_FAT,
	PHANTOM_MUSCLE,
	PHANTOM_BOWEL,
	PHANTOM_LUNG,
	PHANTOM_GAS,
	PHANTOM_STOMACH,
	PHANTOM_SPLEEN,
	PHANTOM_KIDNEY,
	PHANTOM_SPINE,
	PHANTOM_AORTA,
	PHANTOM_LIVER_TISSUE
};

#endif
