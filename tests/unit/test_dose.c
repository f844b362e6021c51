/* T1: the pair of constants against published doses. */
#include "check.h"
#include "dose.h"
#include "holmium.h"

static const double CONSTANT = HOLMIUM_DOSE_CONSTANT_MJ_PER_MBQ;
static const double DENSITY = HOLMIUM_TISSUE_DENSITY_G_PER_ML;

/* J Nucl Med 2016;57(suppl 2):199: 3.7 MBq in 15.3 mL give 3.6 Gy. */
static void extrahepatic_deposition_gets_3_62_gy(void **state)
{
	(void)state;
	assert_measured("T1", "3.7 MBq in 15.3 mL",
			3.7 / 15.3 * dose_gy_per_mbq_per_ml(CONSTANT, DENSITY), 3.62, 0.005, 0,
			"Gy");
	assert_close(dose_organ_mean_gy(3.7, 15.3 * DENSITY, CONSTANT), 3.62, 0.005, 0);
}

/* Source paper, Eq. 1. */
static void planning_formula_gives_60_gy(void **state)
{
	(void)state;
	assert_measured("T1", "3781 MBq in 1 kg (source paper, Eq. 1)",
			dose_organ_mean_gy(3781, 1000, CONSTANT), 60.00, 0.005, 0, "Gy");
}

/* Source paper, patients 2, 3 and 5: injected GBq and liver mass. */
static void paper_liver_means(void **state)
{
	(void)state;
	assert_measured("T1", "liver mean, source paper's patient 2",
			dose_organ_mean_gy(8060, 2000, CONSTANT), 64.0, 0.05, 0, "Gy");
	assert_measured("T1", "liver mean, source paper's patient 3",
			dose_organ_mean_gy(7540, 2400, CONSTANT), 49.9, 0.05, 0, "Gy");
	assert_measured("T1", "liver mean, source paper's patient 5",
			dose_organ_mean_gy(7880, 2400, CONSTANT), 52.1, 0.05, 0, "Gy");
}

static void one_mbq_per_ml_is_14_97_gy(void **state)
{
	(void)state;
	assert_close(dose_gy_per_mbq_per_ml(CONSTANT, DENSITY), 14.97, 0.005, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(extrahepatic_deposition_gets_3_62_gy),
	    cmocka_unit_test(planning_formula_gives_60_gy),
	    cmocka_unit_test(paper_liver_means),
	    cmocka_unit_test(one_mbq_per_ml_is_14_97_gy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
