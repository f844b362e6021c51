/* phantom_vials.c - see phantom_vials.h. */
#include "phantom_vials.h"

#include <math.h>

#include "phantom_noise.h"

#define PI	3.14159265358979323846
#define SUB	4 /* sub-voxels along either side of a voxel, in the plane */
#define OUTER	7 /* vials in the outer ring; the others in the inner one */
#define GEL_S0	1.0
#define BATH_S0 1.1

void phantom_rack_make(struct phantom_rack *rack, double relaxivity_per_s_per_mg_per_ml)
{
	static const double mg_per_ml[PHANTOM_MAX_VIALS] = {0,	 0.1, 0.25, 0.5, 0.75,
							    1.0, 1.5, 2.0,  4.0, 8.0};
	*rack = (struct phantom_rack){
	    .n_vials = PHANTOM_MAX_VIALS,
	    .radius_mm = 12,
	    .wall_mm = 1,
	    .bath_mm = 88,
	    .gel_r2star_per_s = 14,
	    .bath_r2star_per_s = 4,
	    .relaxivity_per_s_per_mg_per_ml = relaxivity_per_s_per_mg_per_ml,
	};
	for (int i = 0; i < rack->n_vials; i++) {
		bool outer = i < OUTER;
		int place = outer ? i : i - OUTER, places = outer ? OUTER : rack->n_vials - OUTER;
		double angle = 2 * PI * place / places, ring_mm = outer ? 64 : 26;
		rack->vials[i] = (struct phantom_vial){{ring_mm * cos(angle), ring_mm * sin(angle)},
						       mg_per_ml[i]};
	}
}

/* Signal and decay at a point; false where there is neither gel nor water. */
static bool rack_at(double *s0, double *r2star_per_s, const struct phantom_rack *rack,
		    const double point_mm[3])
{
	if (hypot(point_mm[0], point_mm[1]) > rack->bath_mm)
		return false;
	*s0 = BATH_S0;
	*r2star_per_s = rack->bath_r2star_per_s;
	for (int i = 0; i < rack->n_vials; i++) {
		const struct phantom_vial *vial = &rack->vials[i];
		double out =
		    hypot(point_mm[0] - vial->centre_mm[0], point_mm[1] - vial->centre_mm[1]) -
		    rack->radius_mm;
		if (out > rack->wall_mm)
			continue;
		*s0 = GEL_S0;
		*r2star_per_s = rack->gel_r2star_per_s +
				rack->relaxivity_per_s_per_mg_per_ml * vial->microspheres_mg_per_ml;
		return out <= 0;
	}
	return true;
}

static void voxel_signal(double *signal, const struct phantom_rack *rack,
			 const struct phantom_scan *scan, const int at[3])
{
	for (int e = 0; e < scan->echoes; e++)
		signal[e] = 0;
	for (int sub = 0; sub < SUB * SUB; sub++) {
		const double voxel[3] = {at[0] - 0.5 + (sub % SUB + 0.5) / SUB,
					 at[1] - 0.5 + (sub / SUB + 0.5) / SUB, at[2]};
		double point[3], s0, r2star_per_s;
		grid_to_patient(&scan->grid, voxel, point);
		if (!rack_at(&s0, &r2star_per_s, rack, point))
			continue;
		for (int e = 0; e < scan->echoes; e++)
			signal[e] += PHANTOM_LIVER_SIGNAL * s0 / (SUB * SUB) *
				     exp(-scan->te_ms[e] * r2star_per_s / 1000);
	}
}

void phantom_rack_slice(uint16_t *pixels, const struct phantom_rack *rack,
			const struct phantom_scan *scan, int slice)
{
	const struct grid *grid = &scan->grid;
	size_t area = (size_t)grid->columns * (size_t)grid->rows;
	double sigma = isinf(scan->snr) ? 0 : PHANTOM_LIVER_SIGNAL / scan->snr;
	for (size_t at = 0; at < area; at++) {
		const int voxel[3] = {(int)(at % (size_t)grid->columns),
				      (int)(at / (size_t)grid->columns), slice};
		double signal[PHANTOM_MAX_ECHOES];
		voxel_signal(signal, rack, scan, voxel);
		for (int e = 0; e < scan->echoes; e++)
			pixels[(size_t)e * area + at] = phantom_noisy_count(
			    signal[e], sigma, phantom_noise_key(scan->seed, (uint64_t)e),
			    (uint64_t)slice * area + at);
	}
}
