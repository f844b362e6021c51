#include "command_calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define BODY_TEMPERATURE_K 310.0
#define TEMPERATURE_TOLD_K 2.0

static double percent_of_slope(const struct calibrate_run *run)
{
	return 100 * run->result.relaxivity_standard_error /
	       run->result.relaxivity_per_s_per_mg_per_ml;
}

static const char *place_name(enum calibration_place place)
{
	static const char *const names[] = {
	    [CALIBRATION_IN_LINE] = "in the line",
	    [CALIBRATION_HOT] = "too hot for these echoes",
	    [CALIBRATION_OFF_THE_LINE] = "off the line",
	};
	return names[place];
}

/* "2026-03-02", "" when the images have no date. */
static void scan_date(char text[16], const struct calibrate_run *run)
{
	const char *date = run->scan.acquisition_datetime;
	text[0] = '\0';
	if (strlen(date) >= 8)
		snprintf(text, 16, "%.4s-%.2s-%.2s", date, date + 4, date + 6);
}

/* Bytes of a UTF-8 text up to most, whole characters. */
static int whole_characters(const char *text, int most)
{
	int length = 0;
	for (int i = 0; i <= most; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80) /* a character starts here */
			length = i;
		if (text[i] == '\0')
			break;
	}
	return length;
}

static void scanner(char *text, size_t size, const struct calibrate_run *run)
{
	const struct instance_info *info = &run->first;
	snprintf(text, size, "%.*s%s%.*s", whole_characters(info->manufacturer, 40),
		 info->manufacturer, info->manufacturer[0] && info->station_name[0] ? " " : "",
		 whole_characters(info->station_name, 40), info->station_name);
	if (text[0] == '\0')
		snprintf(text, size, "scanner not named");
}

/* ---- the element ---- */

static void print_attribute(FILE *out, const char *name, const char *text)
{
	fprintf(out, "\n    %s=\"", name);
	for (; *text != '\0'; text++) {
		const char *entity = *text == '&'   ? "&amp;"
				     : *text == '<' ? "&lt;"
				     : *text == '"' ? "&quot;"
						    : NULL;
		if (entity != NULL)
			fputs(entity, out);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static void print_number(FILE *out, const char *name, double value)
{
	char text[32];
	snprintf(text, sizeof text, "%.6g", value);
	print_attribute(out, name, text);
}

void calibrate_print_element(FILE *out, const struct calibrate_run *run)
{
	const struct calibration_result *r = &run->result;
	char provenance[200], from[96], date[16];
	scanner(from, sizeof from, run);
	scan_date(date, run);
	/* the configuration takes 199 bytes: what stands before the scanner's 81 is never so long
	 */
	snprintf(provenance, sizeof provenance,
		 "%d vials to %.3g mg/mL, %s, 95 %% %.4g to %.4g, intercept %.3g /s, %s", r->used,
		 r->linear_to_mg_per_ml, date[0] ? date : "no date", r->relaxivity_lower,
		 r->relaxivity_upper, r->intercept_per_s, from);
	fputs("<relaxivity", out);
	print_number(out, "field-t", run->scan.field_strength_t);
	if (run->product[0])
		print_attribute(out, "product", run->product);
	print_number(out, "per-s-per-mg-per-ml", r->relaxivity_per_s_per_mg_per_ml);
	print_number(out, "holmium-percent", run->holmium_percent);
	print_number(out, "temperature-k", run->temperature_k);
	print_attribute(out, "calibrated", "yes");
	print_attribute(out, "provenance", provenance);
	fputs("/>\n", out);
}

/* ---- the page ---- */

static void print_vials(FILE *out, const struct calibrate_run *run)
{
	fprintf(out, "\n%-28s %9s %9s %8s %8s %7s  %s\n", "vial", "mg/mL", "R2* /s", "SE", "SD",
		"voxels", "deviation");
	for (int i = 0; i < run->n_vials; i++) {
		const struct calibration_vial *v = &run->vials[i];
		fprintf(out, "%-28.28s %9.3f ", v->name, v->microspheres_mg_per_ml);
		if (isnan(v->r2star_per_s))
			fprintf(out, "%9s %8s %8s %7.0f", "-", "-", "-", v->voxels);
		else
			fprintf(out, "%9.2f %8.3f %8.2f %7.0f", v->r2star_per_s,
				v->standard_error_per_s, v->standard_deviation_per_s, v->voxels);
		if (isnan(run->result.deviation_percent[i]))
			fprintf(out, "  %8s", "-");
		else
			fprintf(out, "  %+7.2f%%", run->result.deviation_percent[i]);
		fprintf(out, "  %s", place_name(run->result.place[i]));
		if (v->few_echo_share > 0)
			fprintf(out, ", %.0f %% of its voxels with fewer than three usable echoes",
				100 * v->few_echo_share);
		fputc('\n', out);
	}
}

static void print_line(FILE *out, const struct calibrate_run *run)
{
	const struct calibration_result *r = &run->result;
	fprintf(out, "\nrelaxivity    %.2f /s per mg/mL, 95 %% interval %.2f to %.2f\n",
		r->relaxivity_per_s_per_mg_per_ml, r->relaxivity_lower, r->relaxivity_upper);
	fprintf(out,
		"              standard uncertainty of the line %.2f %%; that of the "
		"concentrations comes on top\n",
		percent_of_slope(run));
	fprintf(out, "intercept     %.2f /s (%.2f to %.2f)\n", r->intercept_per_s,
		r->intercept_lower, r->intercept_upper);
	fprintf(out,
		"linear range  to %.3g mg/mL (%d of %d vials); R^2 %.6f; residual SD %.2f /s\n",
		r->linear_to_mg_per_ml, r->used, run->n_vials, r->r_squared, r->residual_sd_per_s);
	if (isnan(r->lack_of_fit_p))
		fputs("lack of fit   cannot be tested\n", out);
	else
		fprintf(out, "lack of fit   F %.3g, p %.3g: %s\n", r->lack_of_fit_f,
			r->lack_of_fit_p,
			r->lack_of_fit_p < 0.05
			    ? "the vials scatter about the line more than their noise explains "
			      "(concentrations? susceptibility?); see the deviations"
			    : "the line explains the vials within their noise");
}

static void print_warnings(FILE *out, const struct calibrate_run *run)
{
	double away_k = BODY_TEMPERATURE_K - run->temperature_k;
	if (fabs(away_k) > TEMPERATURE_TOLD_K)
		fprintf(out,
			"\nThe vials were at %.0f K. In the body (310 K) holmium's susceptibility, "
			"and with it the relaxivity,\nis %.1f %% %s by Curie's law. holmia does "
			"not correct for it: measure at 310 K, or decide.\n",
			run->temperature_k, fabs(100 * (run->temperature_k / 310 - 1)),
			away_k > 0 ? "lower" : "higher");
	for (int i = 0; i < run->n_vials; i++) {
		if (run->result.place[i] == CALIBRATION_HOT) {
			fputs("\nVials too hot for these echoes are not in the line. Tissue above "
			      "the linear range is not covered by it.\n",
			      out);
			break;
		}
	}
}

void calibrate_print_page(FILE *out, const struct calibrate_run *run)
{
	char from[96], date[16];
	scanner(from, sizeof from, run);
	scan_date(date, run);
	fprintf(out, "Relaxivity of holmium-166 microspheres from vials\n\n");
	fprintf(out, "scan          %s %s, %.3g T\n", date, from, run->scan.field_strength_t);
	fprintf(out, "series        %s \"%s\"\n", run->first.series_instance_uid,
		run->first.series_description);
	fprintf(out,
		"echoes        %d, %.2f to %.2f ms; %.2f x %.2f x %.2f mm; noise SD %.3g (signal "
		"units)\n",
		run->scan.echoes, run->scan.te_ms[0], run->scan.te_ms[run->scan.echoes - 1],
		grid_spacing_mm(&run->scan.grid, 0), grid_spacing_mm(&run->scan.grid, 1),
		grid_spacing_mm(&run->scan.grid, 2), run->sigma);
	fprintf(out, "vials         %.0f K, holmium content %.4g %%%s%s\n", run->temperature_k,
		run->holmium_percent, run->product[0] ? ", product " : "", run->product);
	print_vials(out, run);
	print_line(out, run);
	print_warnings(out, run);
	fputs("\nFor the configuration, in place of the entry for this field strength:\n\n", out);
	calibrate_print_element(out, run);
	fprintf(out, "\n%s\n", run->config->intended_use);
}

/* ---- JSON ---- */

void calibrate_print_json(FILE *out, const struct calibrate_run *run)
{
	const struct calibration_result *r = &run->result;
	struct json json = {.file = out};
	char *element = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&element, &size);
	if (memory != NULL) {
		calibrate_print_element(memory, run);
		fclose(memory);
	}
	json_begin_object(&json, NULL);
	json_number(&json, "relaxivity_per_s_per_mg_per_ml", r->relaxivity_per_s_per_mg_per_ml);
	json_number(&json, "relaxivity_lower", r->relaxivity_lower);
	json_number(&json, "relaxivity_upper", r->relaxivity_upper);
	json_number(&json, "relaxivity_standard_error", r->relaxivity_standard_error);
	json_number(&json, "intercept_per_s", r->intercept_per_s);
	json_number(&json, "intercept_lower", r->intercept_lower);
	json_number(&json, "intercept_upper", r->intercept_upper);
	json_number(&json, "r_squared", r->r_squared);
	json_number(&json, "residual_sd_per_s", r->residual_sd_per_s);
	json_number(&json, "lack_of_fit_f", r->lack_of_fit_f);
	json_number(&json, "lack_of_fit_p", r->lack_of_fit_p);
	json_number(&json, "linear_to_mg_per_ml", r->linear_to_mg_per_ml);
	json_integer(&json, "vials_in_line", r->used);
	json_number(&json, "field_t", run->scan.field_strength_t);
	json_number(&json, "temperature_k", run->temperature_k);
	json_number(&json, "holmium_percent", run->holmium_percent);
	json_text(&json, "product", run->product);
	json_text(&json, "series_instance_uid", run->first.series_instance_uid);
	json_begin_array(&json, "vials");
	for (int i = 0; i < run->n_vials; i++) {
		const struct calibration_vial *v = &run->vials[i];
		json_begin_object(&json, NULL);
		json_text(&json, "name", v->name);
		json_number(&json, "mg_per_ml", v->microspheres_mg_per_ml);
		json_number(&json, "r2star_per_s", v->r2star_per_s);
		json_number(&json, "standard_error_per_s", v->standard_error_per_s);
		json_number(&json, "standard_deviation_per_s", v->standard_deviation_per_s);
		json_number(&json, "voxels", v->voxels);
		json_number(&json, "few_echo_share", v->few_echo_share);
		json_number(&json, "deviation_percent", r->deviation_percent[i]);
		json_text(&json, "place", place_name(r->place[i]));
		json_end_object(&json);
	}
	json_end_array(&json);
	json_text(&json, "element", element != NULL ? element : "");
	json_text(&json, "intended_use", run->config->intended_use);
	json_end_object(&json);
	fputc('\n', out);
	free(element);
}
