#include "calibration.h"

#include <math.h>
#include <string.h>

#include "distribution.h"

#define CONFIDENCE     0.975 /* two-sided 95 % */
#define SAME_GRID_MM   1e-2
#define WHOLLY_COVERED 0.999f

/* ---- the line ---- */

struct line {
	double slope, intercept;
	double slope_variance, intercept_variance; /* for weights that are 1 / variance */
	double weighted_squares;		   /* sum of w * residual^2 */
	double weighted_total;			   /* sum of w * (y - mean)^2 */
	double weight_sum;
	int points;
};

static double weight_of(const struct calibration_vial *vial)
{
	return 1 / (vial->standard_error_per_s * vial->standard_error_per_s);
}

/* Weighted least squares through the vials in the line but for one (-1: none). Sums are taken about
 * the weighted means, so that nothing cancels. */
static struct line fit_line(const struct calibration_vial *vials, int n_vials,
			    const enum calibration_place *place, int without)
{
	struct line line = {.points = 0};
	double mean_c = 0, mean_r = 0, scc = 0, scr = 0;

	for (int i = 0; i < n_vials; i++) {
		if (place[i] != CALIBRATION_IN_LINE || i == without)
			continue;
		line.points++;
		line.weight_sum += weight_of(&vials[i]);
		mean_c += weight_of(&vials[i]) * vials[i].microspheres_mg_per_ml;
		mean_r += weight_of(&vials[i]) * vials[i].r2star_per_s;
	}
	mean_c /= line.weight_sum;
	mean_r /= line.weight_sum;
	for (int i = 0; i < n_vials; i++) {
		if (place[i] != CALIBRATION_IN_LINE || i == without)
			continue;
		double c = vials[i].microspheres_mg_per_ml - mean_c;
		double r = vials[i].r2star_per_s - mean_r;
		scc += weight_of(&vials[i]) * c * c;
		scr += weight_of(&vials[i]) * c * r;
		line.weighted_total += weight_of(&vials[i]) * r * r;
	}
	line.slope = scr / scc;
	line.intercept = mean_r - line.slope * mean_c;
	line.slope_variance = 1 / scc;
	line.intercept_variance = 1 / line.weight_sum + mean_c * mean_c / scc;
	for (int i = 0; i < n_vials; i++) {
		if (place[i] != CALIBRATION_IN_LINE || i == without)
			continue;
		double off = vials[i].r2star_per_s - line.intercept -
			     line.slope * vials[i].microspheres_mg_per_ml;
		line.weighted_squares += weight_of(&vials[i]) * off * off;
	}
	return line;
}

static double deviation_percent(const struct line *line, const struct calibration_vial *vial)
{
	double expected = line->intercept + line->slope * vial->microspheres_mg_per_ml;
	return 100 * (vial->r2star_per_s - expected) / expected;
}

/* ---- which vials belong to it ---- */

static int count_concentrations(const struct calibration_vial *vials, int n_vials,
				const enum calibration_place *place, int without)
{
	int count = 0;
	for (int i = 0; i < n_vials; i++) {
		bool seen = place[i] != CALIBRATION_IN_LINE || i == without;
		for (int j = 0; j < i && !seen; j++)
			seen = place[j] == CALIBRATION_IN_LINE && j != without &&
			       fabs(vials[j].microspheres_mg_per_ml -
				    vials[i].microspheres_mg_per_ml) <
				   1e-9 * fabs(vials[i].microspheres_mg_per_ml) + 1e-12;
		count += !seen;
	}
	return count;
}

static int highest_in_line(const struct calibration_vial *vials, int n_vials,
			   const enum calibration_place *place)
{
	int highest = -1;
	for (int i = 0; i < n_vials; i++) {
		if (place[i] == CALIBRATION_IN_LINE &&
		    (highest < 0 ||
		     vials[i].microspheres_mg_per_ml > vials[highest].microspheres_mg_per_ml))
			highest = i;
	}
	return highest;
}

static void leave_out_hot(enum calibration_place *place, const struct calibration_vial *vials,
			  int n_vials)
{
	double lowest_hot = INFINITY;
	for (int i = 0; i < n_vials; i++) {
		if (vials[i].few_echo_share > CALIBRATION_HOT_SHARE)
			lowest_hot = fmin(lowest_hot, vials[i].microspheres_mg_per_ml);
	}
	for (int i = 0; i < n_vials; i++) {
		if (vials[i].microspheres_mg_per_ml >= lowest_hot)
			place[i] = CALIBRATION_HOT;
	}
}

static void leave_out_bent(enum calibration_place *place, const struct calibration_vial *vials,
			   int n_vials, double limit_percent)
{
	for (;;) {
		int top = highest_in_line(vials, n_vials, place);
		if (top < 0 || count_concentrations(vials, n_vials, place, top) < 3)
			return;
		struct line others = fit_line(vials, n_vials, place, top);
		if (fabs(deviation_percent(&others, &vials[top])) <= limit_percent)
			return;
		place[top] = CALIBRATION_OFF_THE_LINE;
	}
}

/* ---- statistics ---- */

/* Scatter of the means about the line against the scatter inside the vials, both in units of the
 * vials' own variances: the pure error is then 1 with the voxels' degrees of freedom. */
static void test_lack_of_fit(struct calibration_result *result, const struct line *line,
			     const struct calibration_vial *vials, int n_vials)
{
	double inside_degrees = 0, between_degrees = line->points - 2;
	result->lack_of_fit_f = result->lack_of_fit_p = NAN;
	for (int i = 0; i < n_vials; i++) {
		if (result->place[i] == CALIBRATION_IN_LINE)
			inside_degrees += vials[i].voxels - 1;
	}
	if (!(inside_degrees > 0) || !(between_degrees > 0))
		return;
	result->lack_of_fit_f = line->weighted_squares / between_degrees;
	result->lack_of_fit_p =
	    distribution_f_tail(result->lack_of_fit_f, between_degrees, inside_degrees);
}

static void fill_result(struct calibration_result *result, const struct line *line,
			const struct calibration_vial *vials, int n_vials)
{
	double degrees = line->points - 2;
	double scale = line->weighted_squares / degrees; /* variance of unit weight */
	double t = distribution_student_t_quantile(CONFIDENCE, degrees);
	double intercept_error = sqrt(scale * line->intercept_variance);

	result->used = line->points;
	result->relaxivity_per_s_per_mg_per_ml = line->slope;
	result->relaxivity_standard_error = sqrt(scale * line->slope_variance);
	result->relaxivity_lower = line->slope - t * result->relaxivity_standard_error;
	result->relaxivity_upper = line->slope + t * result->relaxivity_standard_error;
	result->intercept_per_s = line->intercept;
	result->intercept_lower = line->intercept - t * intercept_error;
	result->intercept_upper = line->intercept + t * intercept_error;
	result->r_squared = 1 - line->weighted_squares / line->weighted_total;
	result->residual_sd_per_s = sqrt(scale * line->points / line->weight_sum);
	result->linear_to_mg_per_ml =
	    vials[highest_in_line(vials, n_vials, result->place)].microspheres_mg_per_ml;
	for (int i = 0; i < n_vials; i++)
		result->deviation_percent[i] = deviation_percent(line, &vials[i]);
	test_lack_of_fit(result, line, vials, n_vials);
}

static enum status_code check_vials(const struct calibration_vial *vials, int n_vials,
				    double limit_percent, struct status *st)
{
	if (n_vials > CALIBRATION_MAX_VIALS)
		return status_fail(st, STATUS_REFUSE, "calibration: %d vials: at most %d", n_vials,
				   CALIBRATION_MAX_VIALS);
	if (!(limit_percent > 0))
		return status_fail(st, STATUS_BUG, "calibration: deviation limit %g %%",
				   limit_percent);
	for (int i = 0; i < n_vials; i++) {
		const struct calibration_vial *vial = &vials[i];
		bool hot = vial->few_echo_share > CALIBRATION_HOT_SHARE;
		if (!(vial->microspheres_mg_per_ml >= 0) || !isfinite(vial->microspheres_mg_per_ml))
			return status_fail(st, STATUS_REFUSE,
					   "calibration: vial \"%s\": concentration %g mg/mL",
					   vial->name, vial->microspheres_mg_per_ml);
		if (!hot && (!isfinite(vial->r2star_per_s) || !(vial->standard_error_per_s > 0)))
			return status_fail(st, STATUS_REFUSE,
					   "calibration: vial \"%s\" has no measured R2* (%g /s, "
					   "standard error %g)",
					   vial->name, vial->r2star_per_s,
					   vial->standard_error_per_s);
	}
	return STATUS_OK;
}

enum status_code calibration_fit(struct calibration_result *result,
				 const struct calibration_vial *vials, int n_vials,
				 double deviation_limit_percent, struct status *st)
{
	struct calibration_result fitted;
	memset(&fitted, 0, sizeof fitted);
	if (check_vials(vials, n_vials, deviation_limit_percent, st) != STATUS_OK)
		return st->code;
	leave_out_hot(fitted.place, vials, n_vials);
	int cool = count_concentrations(vials, n_vials, fitted.place, -1);
	if (cool < 3)
		return status_fail(st, STATUS_REFUSE,
				   "calibration: %d concentrations that the echoes can follow: a "
				   "line with its interval needs three",
				   cool);
	leave_out_bent(fitted.place, vials, n_vials, deviation_limit_percent);
	struct line line = fit_line(vials, n_vials, fitted.place, -1);
	if (!(line.slope > 0))
		return status_fail(st, STATUS_REFUSE,
				   "calibration: R2* does not rise with the concentration (%g /s "
				   "per mg/mL): are names and vials the right way round?",
				   line.slope);
	fill_result(&fitted, &line, vials, n_vials);
	*result = fitted;
	return STATUS_OK;
}

/* ---- one vial ---- */

static bool is_inside(const struct mask *mask, int column, int row, int slice)
{
	const struct grid *grid = &mask->grid;
	if (column < 0 || row < 0 || slice < 0 || column >= grid->columns || row >= grid->rows ||
	    slice >= grid->slices)
		return false;
	size_t index = ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns +
		       (size_t)column;
	return mask->coverage[index] >= WHOLLY_COVERED;
}

static bool is_away_from_the_wall(const struct mask *mask, int column, int row, int slice,
				  bool through_plane)
{
	for (int j = -1; j <= 1; j++) {
		for (int i = -1; i <= 1; i++) {
			if (!is_inside(mask, column + i, row + j, slice))
				return false;
		}
	}
	return !through_plane ||
	       (is_inside(mask, column, row, slice - 1) && is_inside(mask, column, row, slice + 1));
}

enum status_code calibration_measure_vial(struct calibration_vial *vial,
					  const struct r2star_map *map, const struct mask *mask,
					  struct status *st)
{
	const struct grid *grid = &mask->grid;
	double n = 0, fitted = 0, mean = 0, squares = 0;
	bool through_plane = mask->last[2] - mask->first[2] >= 2;

	if (!grid_same(grid, &map->r2star_per_s.grid, SAME_GRID_MM))
		return status_fail(st, STATUS_BUG, "calibration: mask and map on other grids");
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				size_t index = ((size_t)k * (size_t)grid->rows + (size_t)j) *
						   (size_t)grid->columns +
					       (size_t)i;
				if (!is_away_from_the_wall(mask, i, j, k, through_plane))
					continue;
				n++;
				if (map->state[index] != R2STAR_FITTED)
					continue;
				double value = (double)map->r2star_per_s.samples[index];
				double before = value - mean;
				fitted++;
				mean += before / fitted;
				squares += before * (value - mean);
			}
		}
	}
	if (n < CALIBRATION_MIN_VOXELS)
		return status_fail(st, STATUS_REFUSE,
				   "vial \"%s\": %.0f voxels lie a voxel or more inside its "
				   "contours, %d are needed: use smaller voxels or wider vials",
				   vial->name, n, CALIBRATION_MIN_VOXELS);
	vial->voxels = fitted;
	vial->few_echo_share = (n - fitted) / n;
	vial->r2star_per_s = fitted > 0 ? mean : (double)NAN;
	vial->standard_deviation_per_s = fitted > 1 ? sqrt(squares / (fitted - 1)) : (double)NAN;
	vial->standard_error_per_s = vial->standard_deviation_per_s / sqrt(fitted);
	return STATUS_OK;
}
