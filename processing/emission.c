#include "emission.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "holmium.h"

#define BQ_PER_MBQ 1e6

/* No dose constant where the activity does not stay where it is seen (177Lu is bound to peptides)
 * or where it is a stand-in for something else (99mTc-MAA): complete decay in place is wrong there,
 * not only unknown. */
static const struct isotope isotopes[] = {
    {"Ho-166", "C1943", "NCIt", HOLMIUM_HALF_LIFE_H, HOLMIUM_DOSE_CONSTANT_MJ_PER_MBQ,
     "26.8 h: ICRP 107; 15.87 mJ/MBq: J Nucl Med 2016;57(suppl 2):199"},
    {"Y-90", "14691008", "SCT", 64.1, 49.67,
     "64.1 h: ICRP 107; 49.67 mJ/MBq: the value in use for 90Y microspheres"},
    {"Lu-177", "447553000", "SCT", 6.647 * 24, NAN, "6.647 d: ICRP 107"},
    {"Tc-99m", "72454006", "SCT", 6.015, NAN, "6.015 h: ICRP 107"},
};
#define N_ISOTOPES ((int)(sizeof isotopes / sizeof isotopes[0]))

static const struct {
	const char *spelling; /* letters and digits, capitals */
	int isotope;
} spellings[] = {
    {"HO166", 0}, {"166HO", 0}, {"HOLMIUM166", 0},    {"166HOLMIUM", 0},
    {"Y90", 1},	  {"90Y", 1},	{"YTTRIUM90", 1},     {"90YTTRIUM", 1},
    {"LU177", 2}, {"177LU", 2}, {"LUTETIUM177", 2},   {"177LUTETIUM", 2},
    {"TC99M", 3}, {"99MTC", 3}, {"TECHNETIUM99M", 3}, {"99MTECHNETIUM", 3},
};

static const char *const snomed_rt[N_ISOTOPES] = {NULL, "C-162A7", "C-101ED", "C-163A8"};

static const struct isotope *find_by_name(const char *name)
{
	char spelling[32];
	size_t length = 0;

	for (; *name; name++) {
		if (!isalnum((unsigned char)*name))
			continue;
		if (length + 1 == sizeof spelling)
			return NULL;
		spelling[length++] = (char)toupper((unsigned char)*name);
	}
	spelling[length] = '\0';
	for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
		if (strcmp(spelling, spellings[i].spelling) == 0)
			return &isotopes[spellings[i].isotope];
	return NULL;
}

static const struct isotope *find_by_code(const char *value, const char *scheme)
{
	bool old = strcmp(scheme, "SRT") == 0 || strcmp(scheme, "SNM3") == 0 ||
		   strcmp(scheme, "99SDM") == 0;

	for (int i = 0; i < N_ISOTOPES; i++) {
		const char *known = old ? snomed_rt[i] : isotopes[i].code_value;
		if (known && strcmp(value, known) == 0 &&
		    (old || strcmp(scheme, isotopes[i].code_scheme) == 0))
			return &isotopes[i];
	}
	return NULL;
}

const struct isotope *isotope_find(const char *name, const char *code_value,
				   const char *code_scheme)
{
	const struct isotope *named = name ? find_by_name(name) : NULL;
	const struct isotope *coded =
	    code_value && code_scheme ? find_by_code(code_value, code_scheme) : NULL;

	if (named && coded && named != coded)
		return NULL;
	return named ? named : coded;
}

/* ---- decay ---- */

static double decay(double half_life_h, double elapsed_s)
{
	return exp(-log(2.0) * elapsed_s / (half_life_h * 3600.0));
}

double isotope_decay_factor(const struct isotope *isotope, double from_s, double to_s)
{
	return decay(isotope->half_life_h, to_s - from_s);
}

/* From the mean over the scan to its start. */
static double start_over_mean(double half_life_h, double duration_s)
{
	double x = log(2.0) * duration_s / (half_life_h * 3600.0);

	if (!(x >= 0))
		return NAN;
	return x > 0 ? x / -expm1(-x) : 1;
}

double emission_factor(const struct isotope *isotope, const struct emission_timing *timing,
		       double to_s)
{
	double half_life_h =
	    isnan(timing->half_life_h) ? isotope->half_life_h : timing->half_life_h;
	double from_scan = isotope_decay_factor(isotope, timing->scan_start_s, to_s);

	switch (timing->corrected_to) {
	case EMISSION_DECAY_START:
		return from_scan;
	case EMISSION_DECAY_NONE:
		return start_over_mean(isotope->half_life_h, timing->scan_duration_s) * from_scan;
	case EMISSION_DECAY_ADMINISTRATION:
		if (to_s == timing->administration_s)
			return 1;
		return decay(half_life_h, timing->scan_start_s - timing->administration_s) *
		       from_scan;
	}
	return NAN;
}

double emission_factor_to_administration(const struct isotope *isotope,
					 const struct emission_timing *timing)
{
	if (timing->corrected_to == EMISSION_DECAY_ADMINISTRATION)
		return 1;
	return emission_factor(isotope, timing, timing->administration_s);
}

double emission_effective_administration_s(const struct isotope *isotope, const double *start_s,
					   const double *activity_mbq, int count,
					   double *largest_error)
{
	double sum_mbq = 0, at_first_mbq = 0, largest = 0, effective_s;

	for (int i = 0; i < count; i++) {
		if (!(activity_mbq[i] > 0) || !isfinite(activity_mbq[i]) || !isfinite(start_s[i]))
			return NAN;
		sum_mbq += activity_mbq[i];
		/* seen from the first injection: seconds since 1970 would overflow the exponent */
		at_first_mbq +=
		    activity_mbq[i] * isotope_decay_factor(isotope, start_s[i], start_s[0]);
	}
	if (count < 1)
		return NAN;
	effective_s =
	    start_s[0] + log(at_first_mbq / sum_mbq) / log(2.0) * isotope->half_life_h * 3600.0;
	for (int i = 0; i < count; i++)
		largest =
		    fmax(largest, fabs(isotope_decay_factor(isotope, effective_s, start_s[i]) - 1));
	if (largest_error)
		*largest_error = largest;
	return effective_s;
}

/* ---- dose ---- */

enum status_code emission_dose(struct volume *dose_gy, const struct volume *activity_bq_per_ml,
			       double factor, const struct isotope *isotope,
			       double dose_constant_mj_per_mbq, double density_g_per_ml,
			       struct status *st)
{
	struct volume made = VOLUME_INIT;
	size_t voxels = grid_voxels(&activity_bq_per_ml->grid);
	double gy_per_bq_per_ml;

	if (isnan(isotope->dose_constant_mj_per_mbq))
		return status_fail(st, STATUS_REFUSE,
				   "%s does not decay where it is seen: no dose is computed of it",
				   isotope->name);
	if (!(dose_constant_mj_per_mbq > 0) || !isfinite(dose_constant_mj_per_mbq))
		return status_fail(st, STATUS_REFUSE,
				   "no absorbed dose constant of %s is configured: no dose",
				   isotope->name);
	if (!(density_g_per_ml > 0) || !isfinite(density_g_per_ml))
		return status_fail(st, STATUS_REFUSE, "density of %g g/mL: no dose",
				   density_g_per_ml);
	if (!(factor > 0) || !isfinite(factor))
		return status_fail(st, STATUS_REFUSE,
				   "the times of the emission image do not say when its activity "
				   "is given: no dose");
	if (volume_new(&made, &activity_bq_per_ml->grid, NAN, st) != STATUS_OK)
		return st->code;
	gy_per_bq_per_ml = factor / BQ_PER_MBQ * dose_constant_mj_per_mbq / density_g_per_ml;
	for (size_t i = 0; i < voxels; i++)
		made.samples[i] =
		    (float)((double)activity_bq_per_ml->samples[i] * gy_per_bq_per_ml);
	*dose_gy = made;
	return STATUS_OK;
}
