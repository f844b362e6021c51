/* figures_emission.c - a SPECT or PET beside MRI, as JSON and as a table */
#include <math.h>

#include "figures_parts.h"
#include "measurement_report_emission.h"

static const char *alignment_name(enum report_emission_alignment alignment)
{
	switch (alignment) {
	case REPORT_EMISSION_SAME_FRAME:
		return "same frame of reference";
	case REPORT_EMISSION_RECORD:
		return "treatment record";
	case REPORT_EMISSION_REGISTRATION:
		return "spatial registration";
	case REPORT_EMISSION_OWN_CONTOURS:
		break;
	}
	return "own contours";
}

static void write_voi(struct json *json, const char *name, const struct report_emission_voi *voi,
		      double mri_mean_gy)
{
	json_begin_object(json, NULL);
	json_text(json, "name", name);
	json_number(json, "volume_ml", voi->volume_ml);
	json_number(json, "mean_gy", voi->mean_gy);
	json_number(json, "standard_deviation_gy", voi->standard_deviation_gy);
	json_number(json, "activity_mbq", voi->activity_mbq);
	json_number(json, "mri_mean_gy", mri_mean_gy);
	json_number(json, "difference_percent", voi->difference_percent);
	json_end_object(json);
}

static const struct dosimetry_time_point *newest(const struct figures_input *input)
{
	return &input->result->time_points[input->result->n_time_points - 1];
}

static double healthy_mean_gy(const struct figures_input *input)
{
	return newest(input)->n_healthy > 0 ? newest(input)->healthy[0].figures.dose.mean
					    : (double)NAN;
}

void figures_emission_json(struct json *json, const struct figures_input *input)
{
	const struct report_emission *emission = input->emission;
	if (!emission) {
		json_raw(json, "emission", NULL);
		return;
	}
	json_begin_object(json, "emission");
	json_text(json, "isotope", emission->isotope);
	json_text(json, "modality", emission->modality);
	json_text(json, "series_uid", emission->series_uid);
	json_text(json, "acquired", emission->acquired);
	json_text(json, "alignment", alignment_name(emission->alignment));
	json_text(json, "decay_correction", emission->decay_words);
	json_number(json, "decay_factor", emission->decay_factor);
	json_number(json, "injections_off", emission->injections_off);
	json_number(json, "half_life_h", emission->half_life_h);
	json_number(json, "dose_constant_mj_per_mbq", emission->dose_constant_mj_per_mbq);
	json_number(json, "cps_per_mbq", emission->cps_per_mbq);
	json_number(json, "voxel_ml", emission->voxel_ml);
	json_number(json, "image_activity_mbq", emission->image_activity_mbq);
	json_number(json, "liver_activity_mbq", emission->liver_activity_mbq);
	json_number(json, "injected_activity_mbq", emission->injected_activity_mbq);
	json_number(json, "recovery_ratio", emission->recovery_ratio);
	json_begin_array(json, "vois");
	for (int i = 0; i < emission->n_vois && i < input->n_vois; i++)
		write_voi(json, input->vois[i].name, &emission->vois[i],
			  newest(input)->voi[i].dose.mean);
	json_end_array(json);
	json_begin_array(json, "healthy");
	if (!isnan(emission->healthy.mean_gy))
		write_voi(json, "Healthy liver", &emission->healthy, healthy_mean_gy(input));
	json_end_array(json);
	json_end_object(json);
}

/* ---- the table ---- */

static void write_row(FILE *file, const char *name, const struct report_emission_voi *voi,
		      double mri_mean_gy)
{
	if (isnan(voi->mean_gy)) {
		fprintf(file, "  %-28.28s%8s\n", name, "-");
		return;
	}
	fprintf(file, "  %-28.28s", name);
	figures_put(file, 8, 1, voi->mean_gy);
	figures_put(file, 9, 1, mri_mean_gy);
	figures_put(file, 9, 1, voi->difference_percent);
	figures_put(file, 13, 1, voi->activity_mbq);
	fputc('\n', file);
}

void figures_emission_table(FILE *file, const struct figures_input *input)
{
	const struct report_emission *emission = input->emission;
	if (!emission)
		return;
	fprintf(file,
		"\n%s image of %.8s %.4s (%s): partial volume is not corrected\n"
		"  %-28s%8s%9s%9s%13s\n",
		emission->modality, emission->acquired, emission->acquired + 8,
		alignment_name(emission->alignment), "", "mean Gy", "MRI Gy", "off %",
		"activ. MBq");
	for (int i = 0; i < emission->n_vois && i < input->n_vois; i++)
		if (input->vois[i].role != VOI_NECROSIS)
			write_row(file, input->vois[i].name, &emission->vois[i],
				  newest(input)->voi[i].dose.mean);
	if (!isnan(emission->healthy.mean_gy))
		write_row(file, "Healthy liver", &emission->healthy, healthy_mean_gy(input));
	if (!isnan(emission->recovery_ratio))
		fprintf(file,
			"  %.1f of %.1f MBq injected in the liver with its tumours, %.1f %%\n",
			emission->liver_activity_mbq, emission->injected_activity_mbq,
			100 * emission->recovery_ratio);
}
