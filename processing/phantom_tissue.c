/* phantom_tissue.c - what the abdomen around the liver is made of.
 *
 * Values are plausible for a spoiled gradient echo at 3 T: signals relative to healthy liver in the
 * multi-echo (s0) and in the T1-weighted series (anatomy), R2* in 1/s. Only the liver's and the
 * tumours' R2* are given by the task; the rest is scenery. */
#include "phantom.h"

#include <math.h>

#include "phantom_shapes.h"

struct tissue_entry {
	double s0, r2star_per_s, anatomy;
};
static const struct tissue_entry tissue_table[] = {
    [PHANTOM_AIR] = {0, 0, 0},		 [PHANTOM_FAT] = {1.25, 38, 1.7},
    [PHANTOM_MUSCLE] = {0.85, 32, 0.75}, [PHANTOM_BOWEL] = {0.95, 48, 0.95},
    [PHANTOM_LUNG] = {0.05, 160, 0.06},	 [PHANTOM_GAS] = {0, 0, 0},
    [PHANTOM_STOMACH] = {1.5, 14, 0.4},	 [PHANTOM_SPLEEN] = {1.2, 28, 0.7},
    [PHANTOM_KIDNEY] = {1.3, 24, 0.8},	 [PHANTOM_SPINE] = {0.8, 75, 0.8},
    [PHANTOM_AORTA] = {1.5, 16, 0.45},	 [PHANTOM_LIVER_TISSUE] = {1, 45, 1},
};

static const struct tissue_entry tumour_entry = {1.15, 25, 0.62};

/* Gas in the lung base just above the liver's dome; it shortens T2* around it, and next to it takes
 * the signal away. */
static const struct phantom_ellipsoid gas_bubble = {{-58, 27, 91}, {24, 24, 20}};
#define GAS_R2STAR_PER_S 455.0
#define GAS_REACH_MM	 28.0
#define GAS_VOID_MM	 8.0

/* |x/a|^2.4 + |y/b|^2.4 <= 1: a rounded rectangle, as a trunk is. */
static bool inside_trunk(const double p[3], double a, double b)
{
	double x = fabs(p[0]) / a, y = fabs(p[1]) / b;
	if (x >= 1 || y >= 1)
		return false;
	if (x * x + y * y <= 1)
		return true;
	return pow(x, 2.4) + pow(y, 2.4) <= 1;
}

static bool inside(const struct phantom_ellipsoid *shape, const double p[3])
{
	double level = 0;
	for (int axis = 0; axis < 3; axis++) {
		double along = (p[axis] - shape->centre_mm[axis]) / shape->semi_mm[axis];
		level += along * along;
	}
	return level <= 1;
}

static enum phantom_tissue_kind scenery(const double p[3])
{
	static const struct {
		struct phantom_ellipsoid shape;
		enum phantom_tissue_kind kind;
	} organs[] = {
	    {{{0, 66, 0}, {21, 19, 1e9}}, PHANTOM_SPINE},
	    {{{10, 36, 0}, {9.5, 9.5, 1e9}}, PHANTOM_AORTA},
	    {{{-12, 34, 0}, {11, 8, 1e9}}, PHANTOM_AORTA},
	    {{{-58, 62, -88}, {27, 20, 50}}, PHANTOM_KIDNEY},
	    {{{60, 55, -55}, {27, 21, 52}}, PHANTOM_KIDNEY},
	    {{{108, 34, 22}, {30, 40, 46}}, PHANTOM_SPLEEN},
	    {{{75, -8, 40}, {36, 34, 38}}, PHANTOM_STOMACH},
	    {{{-70, 5, 120}, {66, 72, 62}}, PHANTOM_LUNG},
	    {{{72, 5, 122}, {62, 72, 50}}, PHANTOM_LUNG},
	};

	if (!inside_trunk(p, 170, 112))
		return PHANTOM_AIR;
	if (!inside_trunk(p, 153, 97))
		return PHANTOM_FAT;
	for (size_t i = 0; i < sizeof organs / sizeof organs[0]; i++)
		if (inside(&organs[i].shape, p))
			return organs[i].kind;
	return inside_trunk(p, 145, 88) ? PHANTOM_BOWEL : PHANTOM_MUSCLE;
}

static double between(double from, double to, double share)
{
	return from + (to - from) * share;
}

void phantom_tissue_at(struct phantom_tissue *tissue, const struct phantom_model *model,
		       const double patient_mm[3], double gas_slip_mm)
{
	double p[3];
	phantom_to_local(model, patient_mm, p);
	const double at_gas[3] = {p[0], p[1], p[2] - gas_slip_mm};
	bool liver = false;
	bool near_liver = true;
	for (int axis = 0; axis < 3; axis++)
		near_liver =
		    near_liver && p[axis] > model->low_mm[axis] && p[axis] < model->high_mm[axis];
	if (near_liver)
		liver = phantom_liver_distance_mm(model, p) <= 0;

	double to_gas_mm = INFINITY;
	if (model->gas && !liver)
		to_gas_mm = inside(&gas_bubble, at_gas) ? 0 : INFINITY;
	enum phantom_tissue_kind kind = liver		 ? PHANTOM_LIVER_TISSUE
					: to_gas_mm <= 0 ? PHANTOM_GAS
							 : scenery(p);
	const struct tissue_entry *entry = &tissue_table[kind];
	double s0 = entry->s0, r2star = entry->r2star_per_s, anatomy = entry->anatomy;
	double fat_share = liver ? model->fat_share : 0;
	if (liver)
		r2star = model->liver_r2star_per_s;
	for (int i = 0; liver && i < model->n_tumours; i++) {
		/* A tumour is all tumour inside its contour and gives way to liver over 4 mm
		 * outside. */
		double out = phantom_ellipsoid_distance_mm(&model->tumours[i].shape, p);
		double share = model->sharp ? (out <= 0 ? 1 : 0) : 1 - phantom_smooth_step(out / 4);
		if (share <= 0)
			continue;
		s0 = between(s0, tumour_entry.s0, share);
		r2star = between(r2star, model->tumour_r2star_per_s, share);
		fat_share *= 1 - share;
		/* The anatomy keeps the edge a reader would draw on. */
		anatomy = out <= 0 ? tumour_entry.anatomy : anatomy;
	}
	if (model->gas && kind != PHANTOM_GAS && kind != PHANTOM_AIR) {
		double away_mm = phantom_ellipsoid_distance_mm(&gas_bubble, at_gas);
		r2star += GAS_R2STAR_PER_S * (1 - phantom_smooth_step(away_mm / GAS_REACH_MM));
		s0 *= phantom_smooth_step(away_mm / GAS_VOID_MM);
	}
	tissue->kind = (int)kind;
	tissue->fat_share = fat_share;
	tissue->s0 = s0 * PHANTOM_LIVER_SIGNAL;
	tissue->r2star_per_s = r2star;
	tissue->anatomy = anatomy * PHANTOM_LIVER_SIGNAL;
}
