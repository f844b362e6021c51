/* deformation_parts.h - cubic B-splines on a lattice of control points. Part of deformation.h. */
#ifndef DEFORMATION_PARTS_H
#define DEFORMATION_PARTS_H

#include "deformation.h"

/* Four weights along one axis at a place among control points, and their slope per spacing. The
 * first of the four points is at *first; false outside the lattice. */
bool deformation_weights(double place, int size, int *first, double weight[4], double slope[4]);

/* Of I + gradient. */
double deformation_jacobian(double gradient[3][3]);

#endif
