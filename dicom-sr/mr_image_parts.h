/* mr_image_parts.h - what the synthetic objects of a treatment share; for their writers only. */
#ifndef MR_IMAGE_PARTS_H
#define MR_IMAGE_PARTS_H

#include "mr_image.h"
#include "writer.h"

/* Patient and General Study. */
void mr_image_write_study(struct writer *w, const struct mr_image_study *study);
/* Manufacturer, model, software. */
void mr_image_write_equipment(struct writer *w);
/* Image Plane, of one slice. */
void mr_image_write_plane(struct writer *w, const struct grid *grid, int slice);
/* Rows, Columns and Image Pixel of unsigned 16 bit, without the pixels. */
void mr_image_write_pixel_form(struct writer *w, const struct grid *grid);
/* Direction of a step without its length, rounded to what a decimal string keeps. */
void mr_image_unit_vector(double unit[3], const double step_mm[3], double length_mm);

#endif
