/* phantom.h - a synthetic treatment whose truth is known in closed form.
 *
 * An abdomen with a liver, two liver parts, four tumours, optionally gas under the dome. Shapes are smooth closed
 * surfaces; uptake is a smooth field with a plateau that reaches plateau_mm beyond each tumour contour. Signals are means over
 * sub-voxels; noise is Rician. Truth (mean dose, volume, activity, T/N) is integrated from the continuous field and the shapes on
 * its own fine quadrature, never from the voxels or polygons that are written. Deterministic for a seed. Pure: it fills arrays;
 * writing DICOM is another room's work.
 *
 * This header is owned by the phantom's author; the rest of holmia uses it only through scp/command_phantom. */
#ifndef PHANTOM_H
#define PHANTOM_H

#include "dosimetry.h"

#endif
