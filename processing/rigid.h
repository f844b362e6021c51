/* rigid.h - rigid transforms between frames of reference.
 *
 * A transform is twelve numbers, three rows of four: point' = R * point + t, mm, patient
 * coordinates (LPS) on both sides. "A to B" takes a point in A's frame of reference to the same
 * anatomy's point in B's. Row-major: m[4 * row + column], m[4 * row + 3] is t. R is a proper
 * rotation.
 *
 * Pure. */
#ifndef RIGID_H
#define RIGID_H

#include <stdbool.h>

#include "grid.h"

#define RIGID_SIZE 12

void rigid_identity(double m[RIGID_SIZE]);

/* Rotation by angles (radians) about x, then y, then z through centre_mm, then a shift. */
void rigid_from_angles(double m[RIGID_SIZE], const double angle_rad[3], const double shift_mm[3],
		       const double centre_mm[3]);

/* b_after_a = b * a: first a, then b. May be one of its inputs. */
void rigid_compose(double b_after_a[RIGID_SIZE], const double b[RIGID_SIZE],
		   const double a[RIGID_SIZE]);
void rigid_invert(double inverse[RIGID_SIZE], const double m[RIGID_SIZE]);
void rigid_apply(double to_mm[3], const double m[RIGID_SIZE], const double from_mm[3]);

/* R orthonormal with determinant +1 within tolerance, all finite. */
bool rigid_is_valid(const double m[RIGID_SIZE], double tolerance);

/* Largest displacement over the corners of a grid, mm, and the rotation's angle, degrees. */
double rigid_largest_shift_mm(const double m[RIGID_SIZE], const struct grid *grid);
double rigid_angle_deg(const double m[RIGID_SIZE]);

/* The same voxels in another frame of reference: the transform takes their points there. */
void rigid_move_grid(struct grid *moved, const struct grid *grid, const double m[RIGID_SIZE],
		     const char *frame_of_reference);

#endif
