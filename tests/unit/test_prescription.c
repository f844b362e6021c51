/* Eq. 1 and patient 1 of the source paper (doi 10.1007/s00259-022-05902-w), closed forms of the
 * partition model, conservation of energy. */
#include "prescription.h"

#include "check.h"
#include "dose.h"
#include "holmium.h"

static struct prescription_position position(const char *name, double volume_ml)
{
	return (struct prescription_position){.name = name,
					      .targeted_volume_ml = volume_ml,
					      .tumour_volume_ml = (double)NAN,
					      .reduction = 1,
					      .tumour_counts = (double)NAN,
					      .normal_counts = (double)NAN};
}

static struct prescription_input input_of(const struct prescription_position *positions, int n)
{
	return (struct prescription_input){
	    .target_dose_gy = 60,
	    .dose_constant_mj_per_mbq = HOLMIUM_DOSE_CONSTANT_MJ_PER_MBQ,
	    .density_g_per_ml = HOLMIUM_TISSUE_DENSITY_G_PER_ML,
	    .specific_activity_mbq_per_mg = (double)NAN,
	    .delivered_share = (double)NAN,
	    .lung_shunt = (double)NAN,
	    .lung_mass_kg = (double)NAN,
	    .positions = positions,
	    .n_positions = n,
	};
}

static struct prescription_plan make(const struct prescription_input *input)
{
	struct prescription_plan plan;
	struct status st = STATUS_INIT;
	assert_ok(prescription_make(&plan, input, &st), &st);
	return plan;
}

#define ML_OF_KG(kg) ((kg)*1000 / 1.06)

static void equation_one(void **state)
{
	(void)state;
	/* 3781 MBq in 1 kg gives 60.00 Gy, and 60 Gy in 1 kg asks for 3781 MBq */
	assert_close(dose_organ_mean_gy(3781, 1000, HOLMIUM_DOSE_CONSTANT_MJ_PER_MBQ), 60, 0.005,
		     0);
	struct prescription_position whole = position("liver", ML_OF_KG(1));
	struct prescription_input input = input_of(&whole, 1);
	struct prescription_plan plan = make(&input);
	assert_close(plan.targeted_mass_kg, 1, 1e-12, 0);
	assert_close(plan.activity_mbq, 3781, 0.5, 0);
	assert_close(plan.positions[0].mean_dose_gy, 60, 1e-9, 0);
	assert_true(isnan(plan.lung_gy));
	assert_true(isnan(plan.positions[0].microspheres_mg));
	assert_true(isnan(plan.positions[0].vial_activity_mbq));
	assert_true(isnan(plan.positions[0].predicted_tumour_gy));
}

/* 4.9 kg with 1.2 kg necrosis is treated as 3.7 kg: 13.99 GBq. One of its three positions was
 * halved; the sizes of the three are not published, so thirds here. */
static void patient_one(void **state)
{
	(void)state;
	struct prescription_position p[3] = {position("a", ML_OF_KG(4.9) / 3),
					     position("b", ML_OF_KG(4.9) / 3),
					     position("c", ML_OF_KG(4.9) / 3)};
	for (int i = 0; i < 3; i++)
		p[i].necrotic_volume_ml = ML_OF_KG(1.2) / 3;
	struct prescription_input input = input_of(p, 3);
	struct prescription_plan whole = make(&input);
	assert_close(whole.targeted_mass_kg, 3.7, 1e-12, 0);
	assert_close(whole.activity_mbq, 3.7 * 3781, 1.5, 0);
	p[1].reduction = 0.5;
	struct prescription_plan halved = make(&input);
	assert_close(halved.unreduced_activity_mbq, whole.activity_mbq, 1e-9, 0);
	assert_close(halved.activity_mbq, whole.activity_mbq * 5 / 6, 1e-9, 0);
	assert_close(halved.positions[1].activity_mbq, 0.5 * whole.positions[1].activity_mbq, 1e-9,
		     0);
	assert_close(halved.positions[1].mean_dose_gy, 30, 1e-9, 0);
	assert_close(halved.positions[0].activity_mbq, whole.positions[0].activity_mbq, 0, 0);
}

static void positions_share_by_volume(void **state)
{
	(void)state;
	const struct prescription_position p[] = {position("RHA", 1200), position("LHA", 400)};
	struct prescription_input input = input_of(p, 2);
	input.specific_activity_mbq_per_mg = 12;
	input.delivered_share = 0.914;
	struct prescription_plan plan = make(&input);
	assert_close(plan.positions[0].activity_mbq, 3 * plan.positions[1].activity_mbq, 1e-9, 0);
	assert_close(plan.activity_mbq, 60 * 1.6 * 1.06 / 15.87e-3, 1e-9, 0);
	assert_close(plan.positions[0].microspheres_mg, plan.positions[0].activity_mbq / 12, 0,
		     1e-12);
	assert_close(plan.positions[0].vial_activity_mbq * 0.914, plan.positions[0].activity_mbq, 0,
		     1e-12);
}

/* D_N = k A (1 - LSF) / (T/N M_T + M_N), D_T = T/N D_N (facts of the partition model), worked out
 * by hand: M_T 0.2 kg, M_N 0.8 kg, counts 3 : 4 -> T/N 3; A of 60 Gy in 1 kg, LSF 0.05. */
static void partition_model(void **state)
{
	(void)state;
	struct prescription_position p = position("RHA", ML_OF_KG(1));
	p.tumour_volume_ml = ML_OF_KG(0.2);
	p.tumour_counts = 3e5;
	p.normal_counts = 4e5;
	struct prescription_input input = input_of(&p, 1);
	input.lung_shunt = 0.05;
	input.lung_mass_kg = 1;
	struct prescription_plan plan = make(&input);
	const struct prescription_position_plan *r = &plan.positions[0];
	assert_close(r->predicted_tumour_to_normal, 3, 1e-12, 0);
	assert_close(r->predicted_normal_gy, 60 * 0.95 / (3 * 0.2 + 0.8), 1e-9, 0);
	assert_close(r->predicted_tumour_gy, 3 * 60 * 0.95 / 1.4, 1e-9, 0);
	assert_close(plan.lung_gy, 60 * 0.05, 1e-9, 0);
	assert_close(r->mean_dose_gy, 57, 1e-9, 0);
	/* 8 GBq, 5 %, 1 kg: 6.3 Gy */
	assert_close(dose_organ_mean_gy(8000 * 0.05, 1000, 15.87), 6.3, 0.05, 0);
}

/* Sum of doses times masses is k A, whatever the counts, the shunt and the reductions. */
static void energy_is_conserved(void **state)
{
	(void)state;
	unsigned seed = 20260302;
	for (int trial = 0; trial < 200; trial++) {
		struct prescription_position p[PRESCRIPTION_MAX_POSITIONS];
		double draw[6 * PRESCRIPTION_MAX_POSITIONS + 1];
		int n = trial % PRESCRIPTION_MAX_POSITIONS + 1;
		for (size_t i = 0; i < sizeof draw / sizeof draw[0]; i++) {
			seed = seed * 1664525u + 1013904223u;
			draw[i] = (double)(seed >> 8) / (1 << 24);
		}
		for (int i = 0; i < n; i++) {
			const double *d = &draw[6 * i];
			p[i] = position("p", 100 + 2000 * d[0]);
			p[i].necrotic_volume_ml = 0.3 * d[1] * p[i].targeted_volume_ml;
			p[i].tumour_volume_ml = (0.05 + 0.6 * d[2]) * p[i].targeted_volume_ml;
			p[i].reduction = 0.25 + 0.75 * d[3];
			p[i].tumour_counts = 1 + 1e6 * d[4];
			p[i].normal_counts = 1e6 * d[5];
		}
		struct prescription_input input = input_of(p, n);
		input.lung_shunt = 0.3 * draw[6 * PRESCRIPTION_MAX_POSITIONS];
		input.lung_mass_kg = 0.8;
		struct prescription_plan plan = make(&input);
		double joule = plan.lung_gy * 0.8;
		for (int i = 0; i < n; i++) {
			double tumour_kg = p[i].tumour_volume_ml * 1.06e-3;
			const struct prescription_position_plan *r = &plan.positions[i];
			joule += r->predicted_tumour_gy * tumour_kg +
				 r->predicted_normal_gy * (r->targeted_mass_kg - tumour_kg);
		}
		assert_close(joule, plan.activity_mbq * 15.87e-3, 0, 1e-12);
	}
}

/* No counts beside the tumour: all of the activity is in it. No tumour: nothing is predicted. */
static void limits_of_the_partition_model(void **state)
{
	(void)state;
	struct prescription_position p = position("RHA", ML_OF_KG(1));
	p.tumour_volume_ml = ML_OF_KG(0.25);
	p.tumour_counts = 10;
	p.normal_counts = 0;
	struct prescription_input input = input_of(&p, 1);
	struct prescription_plan plan = make(&input);
	assert_true(isinf(plan.positions[0].predicted_tumour_to_normal));
	assert_close(plan.positions[0].predicted_tumour_gy, 240, 1e-9, 0);
	assert_close(plan.positions[0].predicted_normal_gy, 0, 0, 0);
	p.tumour_volume_ml = 0;
	plan = make(&input);
	assert_true(isnan(plan.positions[0].predicted_tumour_gy));
	p.tumour_volume_ml = (double)NAN;
	plan = make(&input);
	assert_true(isnan(plan.positions[0].predicted_normal_gy));
	p.tumour_volume_ml = p.targeted_volume_ml; /* nothing beside it */
	plan = make(&input);
	assert_true(isnan(plan.positions[0].predicted_tumour_to_normal));
}

static void lung_shunt_from_counts(void **state)
{
	(void)state;
	assert_close(prescription_lung_shunt(50, 950), 0.05, 1e-12, 0);
	assert_close(prescription_lung_shunt(0, 950), 0, 0, 0);
	assert_true(isnan(prescription_lung_shunt(5, 0)));
	assert_true(isnan(prescription_lung_shunt(-1, 5)));
	assert_true(isnan(prescription_lung_shunt((double)NAN, 5)));
}

static void expect_refusal(const struct prescription_input *input, const char *words)
{
	struct prescription_plan plan = {.activity_mbq = 77};
	struct status st = STATUS_INIT;
	assert_int_equal(prescription_make(&plan, input, &st), STATUS_REFUSE);
	if (!strstr(st.text, words))
		print_message("\"%s\" without \"%s\"\n", st.text, words);
	assert_non_null(strstr(st.text, words));
	assert_close(plan.activity_mbq, 77, 0, 0);
}

static void contradictions_are_refused(void **state)
{
	(void)state;
	struct prescription_position p = position("RHA", 1000);
	const struct prescription_input good = input_of(&p, 1);
	struct prescription_input bad = good;
	bad.target_dose_gy = (double)NAN;
	expect_refusal(&bad, "target dose");
	bad = good;
	bad.density_g_per_ml = 0;
	expect_refusal(&bad, "density");
	bad = good;
	bad.specific_activity_mbq_per_mg = -12;
	expect_refusal(&bad, "specific activity");
	bad = good;
	bad.delivered_share = 1.2;
	expect_refusal(&bad, "delivered share");
	bad = good;
	bad.lung_shunt = 1;
	bad.lung_mass_kg = 1;
	expect_refusal(&bad, "lung shunt");
	bad.lung_shunt = 0.05;
	bad.lung_mass_kg = (double)NAN;
	expect_refusal(&bad, "lung mass");
	bad = good;
	bad.n_positions = 0;
	expect_refusal(&bad, "0 positions");
	p.necrotic_volume_ml = 1000;
	expect_refusal(&good, "nothing is left to treat");
	p.necrotic_volume_ml = 300;
	p.tumour_volume_ml = 701;
	expect_refusal(&good, "tumours of 701 mL in 700 mL");
	p = position("RHA", 0);
	expect_refusal(&good, "position \"RHA\"");
	p = position("RHA", 1000);
	p.reduction = 0;
	expect_refusal(&good, "reduction");
	p.reduction = 1.5;
	expect_refusal(&good, "reduction");
	p.reduction = 1;
	p.tumour_counts = 5; /* normal_counts unknown */
	expect_refusal(&good, "no ratio");
	p.normal_counts = -5;
	expect_refusal(&good, "no ratio");
	p.tumour_counts = p.normal_counts = 0;
	expect_refusal(&good, "no ratio");
}

/* What the source paper injected beside what its own Eq. 1 gives for the masses of its Table 1,
 * whole-liver patients. They disagree, and nothing here is fitted to make them agree. Injected is
 * net of waste (91.4 % of ordered on average), so for patient 2 the order was larger still. */
static void source_paper_beside_its_equation(void **state)
{
	(void)state;
	static const struct {
		int patient;
		double mass_kg, eq_1_gbq, injected_gbq;
	} rows[] = {{2, 2.0, 7.56, 8.06}, {3, 2.4, 9.07, 7.54}, {5, 2.4, 9.07, 7.88}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct prescription_position whole = position("liver", ML_OF_KG(rows[i].mass_kg));
		struct prescription_input input = input_of(&whole, 1);
		double gbq = make(&input).activity_mbq / 1e3;
		printf(
		    "MEASURED prescription patient=%d mass_kg=%.1f eq_1_gbq=%.2f injected_gbq=%.2f "
		    "difference_percent=%+.1f mean_gy=%.1f\n",
		    rows[i].patient, rows[i].mass_kg, gbq, rows[i].injected_gbq,
		    100 * (rows[i].injected_gbq / gbq - 1),
		    dose_organ_mean_gy(1e3 * rows[i].injected_gbq, 1e3 * rows[i].mass_kg,
				       HOLMIUM_DOSE_CONSTANT_MJ_PER_MBQ));
		assert_close(gbq, rows[i].eq_1_gbq, 0.005, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(equation_one),
	    cmocka_unit_test(patient_one),
	    cmocka_unit_test(positions_share_by_volume),
	    cmocka_unit_test(partition_model),
	    cmocka_unit_test(energy_is_conserved),
	    cmocka_unit_test(limits_of_the_partition_model),
	    cmocka_unit_test(lung_shunt_from_counts),
	    cmocka_unit_test(contradictions_are_refused),
	    cmocka_unit_test(source_paper_beside_its_equation),
	};
	return cmocka_run_group_tests_name("prescription", tests, NULL, NULL);
}
