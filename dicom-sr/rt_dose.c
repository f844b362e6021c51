/* rt_dose.c - see rt_dose.h; attributes stand in the order of the modules of PS3.3 A.18.3 */
#include "rt_dose.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "tags.h"
#include "uid.h"
#include "writer.h"

#define RT_DOSE_STORAGE	   "1.2.840.10008.5.1.4.1.1.481.2"
#define STORED_MAXIMUM	   65535
#define SERIES_NUMBER_BASE 9000
#define KERNEL_NUMBER_BASE 9050 /* series of the dose by the beta kernel */
/* A DS element of an explicit VR holds 65534 bytes: so many pairs of two numbers of at most 12
 * characters. */
#define DVH_PAIR_SIZE 26
#define DVH_MAX_BINS  2500
/* Frames lie along the normal: so far may the last one be from its slice, in the plane. */
#define MAX_DRIFT_MM 0.5

/* How the frames lie: unit vectors, and whether frame 0 is the grid's last slice. */
struct frame_geometry {
	double row_direction[3];    /* of Image Orientation: along a row */
	double column_direction[3]; /* down a column */
	double spacing_mm;	    /* between frames */
	double first_position_mm[3];
	bool reversed;
};

/* A positive number as text of 16 characters at most, never below it. */
static double decimal_not_below(double value)
{
	char text[32];
	double decimal;

	snprintf(text, sizeof text, "%.10e", value);
	decimal = strtod(text, NULL);
	if (decimal < value) {
		/* One unit in the last place of eleven digits. */
		double step = pow(10.0, floor(log10(value)) - 10.0);
		snprintf(text, sizeof text, "%.10e", decimal + step);
		decimal = strtod(text, NULL);
	}
	return decimal;
}

enum status_code rt_dose_quantise(uint16_t *stored, double *scaling_gy,
				  const struct volume *dose_gy, struct status *st)
{
	size_t count = grid_voxels(&dose_gy->grid);
	double maximum_gy = 0.0, scaling;

	for (size_t i = 0; i < count; i++) {
		double dose = (double)dose_gy->samples[i];
		if (isinf(dose))
			return status_fail(st, STATUS_REFUSE, "voxel %zu has an infinite dose", i);
		if (dose > maximum_gy)
			maximum_gy = dose;
	}
	/* Below a microgray nothing is left to tell from zero. */
	scaling = decimal_not_below(fmax(maximum_gy, 1e-6) / STORED_MAXIMUM);
	for (size_t i = 0; i < count; i++) {
		double dose = (double)dose_gy->samples[i];
		/* NaN and negatives: 0. The cut of the conversion rounds to the nearest step. */
		double steps = dose > 0.0 ? dose / scaling + 0.5 : 0.0;
		stored[i] = (uint16_t)(steps < STORED_MAXIMUM ? steps : STORED_MAXIMUM);
	}
	*scaling_gy = scaling;
	return STATUS_OK;
}

static void unit_vector(double out[3], const double in[3], double length)
{
	for (int axis = 0; axis < 3; axis++)
		out[axis] = in[axis] / length;
}

static enum status_code geometry_of(struct frame_geometry *geometry, const struct grid *grid,
				    struct status *st)
{
	const double *u = geometry->row_direction, *v = geometry->column_direction;
	double normal[3], along = 0.0, spacing = grid_spacing_mm(grid, 2), drift_mm;

	unit_vector(geometry->row_direction, grid->column_step_mm, grid_spacing_mm(grid, 0));
	unit_vector(geometry->column_direction, grid->row_step_mm, grid_spacing_mm(grid, 1));
	normal[0] = u[1] * v[2] - u[2] * v[1];
	normal[1] = u[2] * v[0] - u[0] * v[2];
	normal[2] = u[0] * v[1] - u[1] * v[0];
	for (int axis = 0; axis < 3; axis++)
		along += normal[axis] * grid->slice_step_mm[axis];
	drift_mm = (grid->slices - 1) * sqrt(fmax(spacing * spacing - along * along, 0.0));
	if (grid->slices > 1 && !(drift_mm <= MAX_DRIFT_MM && fabs(along) > 0.0))
		return status_fail(
		    st, STATUS_REFUSE,
		    "the slices of the result grid are not stacked along their normal: "
		    "an RT Dose cannot hold it");
	geometry->spacing_mm = fabs(along);
	geometry->reversed = along < 0.0;
	for (int axis = 0; axis < 3; axis++)
		geometry->first_position_mm[axis] =
		    grid->origin_mm[axis] +
		    (geometry->reversed ? (grid->slices - 1) * grid->slice_step_mm[axis] : 0.0);
	return STATUS_OK;
}

static void deposition_words(char text[200], const struct rt_dose_input *input)
{
	int length;

	if (!input->kernel) {
		snprintf(text, 200, "all beta energy left in its voxel");
		return;
	}
	length = snprintf(text, 200, "range of the beta particles by a voxel kernel");
	if (isfinite(input->kernel_lost_share))
		snprintf(text + length, 200 - (size_t)length,
			 "; %.2g %% of the energy leaves what is evaluated",
			 100.0 * input->kernel_lost_share);
}

static void write_general_image(struct writer *w, const struct rt_dose_input *input,
				const struct frame_geometry *geometry)
{
	const struct evidence *evidence = input->evidence;
	int slices = input->dose_gy->grid.slices;
	uint32_t source = 0;
	char text[1200], deposition[200];

	deposition_words(deposition, input);
	writer_int(w, AT(TAG_InstanceNumber), 1);
	writer_date_time(w, TAG_ContentDate, TAG_ContentTime, evidence->identity->created_datetime);
	writer_string(w, AT(TAG_ImageType), "DERIVED\\SECONDARY");
	snprintf(
	    text, sizeof text,
	    "Absorbed dose of holmium-166 microspheres from the change of R2* between MR series "
	    "before "
	    "and after injection; cumulative over %d injection%s. %s (%s). Negative doses and "
	    "voxels that were not evaluated are stored as 0. %s%s%s",
	    input->after_injection, input->after_injection == 1 ? "" : "s", input->method,
	    deposition, evidence->identity->intended_use, input->remarks ? ". " : "",
	    input->remarks ? input->remarks : "");
	writer_string_cut(w, AT(TAG_DerivationDescription), text, 1024);
	writer_string(w, AT(TAG_ImageComments), evidence->identity->intended_use);
	writer_string(w, AT(TAG_LossyImageCompression), "00");

	for (int frame = 0; frame < slices; frame++) {
		int slice = geometry->reversed ? slices - 1 - frame : frame;
		struct dataset_path images = AT(TAG_ReferencedImageSequence);
		writer_reference(w, images, (uint32_t)frame, &evidence->grid_images[slice]);
		writer_code(
		    w, writer_below(images, (uint32_t)frame, TAG_PurposeOfReferenceCodeSequence), 0,
		    code_get(CODE_ANATOMIC_IMAGE));
	}
	for (int s = 0; s < evidence->n_series; s++) {
		const struct evidence_series *series = &evidence->series[s];
		struct dataset_path images = AT(TAG_SourceImageSequence);
		if (series->role != EVIDENCE_BASELINE && series->role != EVIDENCE_AFTER)
			continue;
		for (int i = 0; i < series->n_instances; i++, source++) {
			writer_reference(w, images, source, &series->instances[i]);
			writer_code(
			    w, writer_below(images, source, TAG_PurposeOfReferenceCodeSequence), 0,
			    code_get(CODE_SOURCE_IMAGE));
		}
	}
}

static void write_image_plane(struct writer *w, const struct grid *grid,
			      const struct frame_geometry *geometry)
{
	const double spacing[2] = {grid_spacing_mm(grid, 1), grid_spacing_mm(grid, 0)};
	double orientation[6];

	memcpy(orientation, geometry->row_direction, sizeof geometry->row_direction);
	memcpy(orientation + 3, geometry->column_direction, sizeof geometry->column_direction);
	writer_doubles(w, AT(TAG_PixelSpacing), spacing, 2);
	writer_doubles(w, AT(TAG_ImageOrientationPatient), orientation, 6);
	writer_doubles(w, AT(TAG_ImagePositionPatient), geometry->first_position_mm, 3);
	writer_doubles(w, AT(TAG_SliceThickness), &geometry->spacing_mm, 1);
}

static void write_image_pixel(struct writer *w, const struct grid *grid)
{
	writer_int(w, AT(TAG_SamplesPerPixel), 1);
	writer_string(w, AT(TAG_PhotometricInterpretation), "MONOCHROME2");
	writer_int(w, AT(TAG_Rows), grid->rows);
	writer_int(w, AT(TAG_Columns), grid->columns);
	writer_int(w, AT(TAG_BitsAllocated), 16);
	writer_int(w, AT(TAG_BitsStored), 16);
	writer_int(w, AT(TAG_HighBit), 15);
	writer_int(w, AT(TAG_PixelRepresentation), 0);
	writer_int(w, AT(TAG_NumberOfFrames), grid->slices);
	if (w->code == STATUS_OK)
		w->code = dataset_set_tag(w->ds, AT(TAG_FrameIncrementPointer),
					  TAG_GridFrameOffsetVector, w->st);
}

static void write_offsets(struct writer *w, int slices, double spacing_mm)
{
	double *offset_mm = malloc((size_t)slices * sizeof *offset_mm);

	if (!offset_mm) {
		w->code = status_fail(w->st, STATUS_RETRY, "out of memory for an RT Dose");
		return;
	}
	for (int frame = 0; frame < slices; frame++)
		offset_mm[frame] = frame * spacing_mm;
	writer_doubles(w, AT(TAG_GridFrameOffsetVector), offset_mm, (size_t)slices);
	free(offset_mm);
}

/* Quantises, turns the frames round where needed, and writes pixels and scaling. */
static void write_pixels(struct writer *w, const struct volume *dose_gy, bool reversed)
{
	const struct grid *grid = &dose_gy->grid;
	size_t frame_size = (size_t)grid->columns * (size_t)grid->rows;
	size_t frames = (size_t)grid->slices;
	uint16_t *stored = malloc(frames * frame_size * sizeof *stored);
	double scaling_gy = 0.0;

	if (!stored) {
		w->code = status_fail(w->st, STATUS_RETRY, "out of memory for an RT Dose");
		return;
	}
	if (w->code == STATUS_OK)
		w->code = rt_dose_quantise(stored, &scaling_gy, dose_gy, w->st);
	for (size_t low = 0; reversed && low < frames / 2; low++) {
		uint16_t *a = stored + low * frame_size,
			 *b = stored + (frames - 1 - low) * frame_size;
		for (size_t i = 0; i < frame_size; i++) {
			uint16_t swapped = a[i];
			a[i] = b[i];
			b[i] = swapped;
		}
	}
	if (w->code == STATUS_OK) {
		char text[32];
		snprintf(text, sizeof text, "%.10e", scaling_gy);
		writer_string(w, AT(TAG_DoseGridScaling), text);
	}
	if (w->code == STATUS_OK)
		w->code = dataset_set_pixels_u16(w->ds, stored, frames * frame_size, w->st);
	free(stored);
}

static void write_plan_overview(struct writer *w, const struct rt_dose_input *input)
{
	writer_string(w, AT(TAG_DoseSummationType), "PLAN_OVERVIEW");
	writer_int(w, AT(TAG_PlanOverviewSequence, 0, TAG_PlanOverviewIndex), 1);
	writer_string(w, AT(TAG_PlanOverviewSequence, 0, TAG_RTPlanLabel),
		      input->kernel ? "Ho-166 kernel" : "Ho-166");
	writer_int(w, AT(TAG_PlanOverviewSequence, 0, TAG_NumberOfFractionsIncluded),
		   input->after_injection);
}

static void write_dose(struct writer *w, const struct rt_dose_input *input,
		       const struct frame_geometry *geometry)
{
	writer_string(w, AT(TAG_DoseUnits), "GY");
	writer_string(w, AT(TAG_DoseType), "PHYSICAL");
	writer_string_cut(w, AT(TAG_DoseComment), input->method, 64);
	write_plan_overview(w, input);
	write_offsets(w, input->dose_gy->grid.slices, geometry->spacing_mm);
	write_pixels(w, input->dose_gy, geometry->reversed);
}

/* Bin width and volume, bin after bin; six digits of a volume are more than a mask can mean. */
static char *dvh_text(const struct rt_dose_dvh *dvh, int every, int bins)
{
	char *text = malloc((size_t)bins * DVH_PAIR_SIZE + 1);
	size_t length = 0;

	if (!text)
		return NULL;
	for (int i = 0; i < bins; i++)
		length += (size_t)snprintf(text + length, DVH_PAIR_SIZE + 1, "%s%.6g\\%.6g",
					   i ? "\\" : "", every * dvh->bin_width_gy,
					   dvh->volume_ml[i * every]);
	return text;
}

static void write_dvh(struct writer *w, uint32_t item, const struct rt_dose_dvh *dvh)
{
	/* A long histogram is thinned by whole bins: the values stay, their spacing grows. */
	int every = (dvh->bins + DVH_MAX_BINS - 1) / DVH_MAX_BINS;
	int bins = (dvh->bins + every - 1) / every;
	char *text = dvh_text(dvh, every, bins);
	const double one = 1.0;

	if (!text) {
		w->code =
		    status_fail(w->st, STATUS_RETRY, "out of memory for a dose-volume histogram");
		return;
	}
	writer_int(
	    w, AT(TAG_DVHSequence, item, TAG_DVHReferencedROISequence, 0, TAG_ReferencedROINumber),
	    dvh->roi_number);
	writer_string(
	    w,
	    AT(TAG_DVHSequence, item, TAG_DVHReferencedROISequence, 0, TAG_DVHROIContributionType),
	    "INCLUDED");
	writer_string(w, AT(TAG_DVHSequence, item, TAG_DVHType), "CUMULATIVE");
	writer_string(w, AT(TAG_DVHSequence, item, TAG_DoseUnits), "GY");
	writer_string(w, AT(TAG_DVHSequence, item, TAG_DoseType), "PHYSICAL");
	writer_doubles(w, AT(TAG_DVHSequence, item, TAG_DVHDoseScaling), &one, 1);
	writer_string(w, AT(TAG_DVHSequence, item, TAG_DVHVolumeUnits), "CM3");
	writer_int(w, AT(TAG_DVHSequence, item, TAG_DVHNumberOfBins), bins);
	writer_string(w, AT(TAG_DVHSequence, item, TAG_DVHData), text);
	if (!isnan(dvh->minimum_gy))
		writer_doubles(w, AT(TAG_DVHSequence, item, TAG_DVHMinimumDose), &dvh->minimum_gy,
			       1);
	if (!isnan(dvh->maximum_gy))
		writer_doubles(w, AT(TAG_DVHSequence, item, TAG_DVHMaximumDose), &dvh->maximum_gy,
			       1);
	if (!isnan(dvh->mean_gy))
		writer_doubles(w, AT(TAG_DVHSequence, item, TAG_DVHMeanDose), &dvh->mean_gy, 1);
	free(text);
}

/* The whole module or nothing: it needs a structure set to point to. */
static void write_dvhs(struct writer *w, const struct rt_dose_input *input)
{
	uint32_t item = 0;

	if (!input->structure_set)
		return;
	for (int i = 0; i < input->n_dvhs; i++)
		if (input->dvhs[i].bins > 0)
			write_dvh(w, item++, &input->dvhs[i]);
	if (item > 0)
		writer_reference(w, AT(TAG_ReferencedStructureSetSequence), 0,
				 input->structure_set);
}

static void describe(char text[120], const struct rt_dose_input *input)
{
	char of[24] = "";

	if (input->planned_injections > 0)
		snprintf(of, sizeof of, " of %d", input->planned_injections);
	snprintf(text, 120, "Ho-166 %sdose after injection %d%s, v%d (cumulative)",
		 input->kernel ? "kernel " : "", input->after_injection, of,
		 input->evidence->identity->version);
}

enum status_code rt_dose_build(struct dataset **ds, char uid[65], const struct rt_dose_input *input,
			       struct status *st)
{
	const struct evidence *evidence = input->evidence;
	const struct grid *grid = &input->dose_gy->grid;
	struct frame_geometry geometry;
	struct dataset *built = NULL;
	struct writer w;
	char description[120];

	if (evidence->n_grid_images != grid->slices)
		return status_fail(st, STATUS_BUG, "%d images for a dose grid of %d slices",
				   evidence->n_grid_images, grid->slices);
	if (geometry_of(&geometry, grid, st) != STATUS_OK || dataset_new(&built, st) != STATUS_OK)
		return st->code;

	w = writer_begin(built, st);
	describe(description, input);
	w.code = evidence_write_common(built, evidence, RT_DOSE_STORAGE,
				       input->kernel ? "rt-dose-kernel" : "rt-dose", "RTDOSE",
				       (input->kernel ? KERNEL_NUMBER_BASE : SERIES_NUMBER_BASE) +
					   input->after_injection,
				       description, st);
	writer_empty(&w, AT(TAG_OperatorsName));
	writer_string(&w, AT(TAG_FrameOfReferenceUID), evidence->frame_of_reference_uid);
	writer_empty(&w, AT(TAG_PositionReferenceIndicator));
	write_general_image(&w, input, &geometry);
	write_image_plane(&w, grid, &geometry);
	write_image_pixel(&w, grid);
	write_dose(&w, input, &geometry);
	write_dvhs(&w, input);
	if (w.code == STATUS_OK)
		w.code = evidence_write_references(built, evidence, st);
	if (w.code == STATUS_OK)
		w.code = dataset_get_string(built, AT(TAG_SOPInstanceUID), uid, 65, st);
	if (w.code == STATUS_OK)
		*ds = built;
	else
		dataset_free(built);
	return w.code;
}
