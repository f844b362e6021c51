/* phantom_pose.h - where the phantom's patient lies in each multi-echo series.
 *
 * The anatomy (T1w) series is the frame the model is built in. Every other series has its own rigid
 * pose, drawn from the seed so that pairs a program has to align are apart by exactly what was
 * asked for:
 *
 *     anatomy  -> baseline            shift_mm, angle_deg
 *     baseline -> after injection k   the same; shift_apart_mm, angle_apart_deg once the patient
 *                                     has left the scanner
 *     after k  -> after k + 1         shift_mm, angle_deg again, inside one stay in the scanner
 *
 * The angle is that of the rotation from one to the other, the shift what the middle of the right
 * liver moves by. The neighbours can all be met at once because the directions of shift and axis
 * stand as far apart as two radii of a sphere with that chord between them.
 *
 * Breathing adds what no rigid transform can undo: a cranio-caudal displacement that depends on x
 * and y alone, breathing_mm * cos(2 pi (x + 60) / 160) * cos(2 pi y / 200). A shear keeps every
 * volume, so what the liver holds stays exactly what was injected.
 *
 * Pure; points are patient coordinates, mm. */
#ifndef PHANTOM_POSE_H
#define PHANTOM_POSE_H

#include "phantom.h"
#include "rigid.h"

struct phantom_pose {
	double to_series[RIGID_SIZE];	/* point of the anatomy -> the same tissue in the series */
	double from_series[RIGID_SIZE]; /* its inverse */
	double breathing_mm;
	double gas_slip_mm; /* how far the gas is up against the body */
};

struct phantom_motion {
	double shift_mm, angle_deg;
	double shift_apart_mm, angle_apart_deg;
	int leaves_after; /* injection after which the patient leaves the scanner; 0: stays */
	/* Breath-holds in place of shift and angle: up or down by some length of this range; 0, 0:
	 * none. */
	double hold_least_mm, hold_most_mm;
	double slip_mm;	     /* gas: each series up to this far up or down against the body */
	double breathing_mm; /* each after-series: up to this, either sign; at least half of it */
};

/* Nothing moved. */
void phantom_pose_rest(struct phantom_pose *pose);

/* poses[0]: baseline; poses[i]: the series after after[i] injections, i < series. Each keeps the
 * whole liver inside the grid. STATUS_REFUSE when no draw does. */
enum status_code phantom_poses(struct phantom_pose *poses, const int *after, int series,
			       const struct phantom_motion *motion,
			       const struct phantom_model *model, const struct grid *grid,
			       uint64_t seed, struct status *st) STATUS_CHECKED;

/* Point of the series -> point of the anatomy that is seen there. */
void phantom_pose_point(double anatomy_mm[3], const struct phantom_pose *pose,
			const double series_mm[3]);

/* True when the liver, so placed, lies within the grid. */
bool phantom_pose_fits(const struct phantom_pose *pose, const struct phantom_model *model,
		       const struct grid *grid);

#endif
