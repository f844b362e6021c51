/* phantom_abdomen.c - the synthetic abdomen and its variants. */
#include <string.h>

#include "phantom.h"

/* 15.87 mJ/MBq over 1.06 g/mL: Gy of 1 MBq/mL. */
#define GY_PER_MBQ_PER_ML (15.87 / 1.06)
#define HOT_ACTIVITY_MBQ  9000.0

/* The first four; 1.31e-3 of an injection of 5600 MBq per mL is 110 Gy. */
static const struct phantom_tumour tumours[] = {
    {{{-85, -42, -12}, {9.4, 8.8, 8.65}}, "Tumour 1", 1.31e-3, 1, 0, 0, 0, 0, 0, false},
    {{{-72, -20, 36}, {15, 16, 14.9}}, "Tumour 2", 1.67e-3, 1, 0, 0, 0, 0, 0, false},
    {{{32, -35, 16}, {24, 18, 19.4}}, "Tumour 3", 1.37e-3, 0.5, 0, 0, 0, 0, 0, false},
    {{{-72, 22, -16}, {30, 27, 26.5}}, "Tumour 4", 1.49e-3, 1, 0, 0, 0, 0, 0, false},
};
#define LARGEST 3

/* Below the gas, in the rim of R2* that it makes. */
static const struct phantom_tumour dome = {
    {{-60, 25, 59}, {10, 10, 8}}, "Dome tumour", 0.9e-3, 1, 0, 0, 0, 0, 0, true};

/* Uptake for means of 400, 400, 100 and 260 Gy. The second has a hot core: its edge takes less, and
 * its middle leaves the fit fewer than three echoes. The tails are shorter, or there would not be
 * enough for the liver. */
static void heat(struct phantom_model *model)
{
	static const double edge_gy[] = {400, 322, 100, 260};
	for (int i = 0; i < 4; i++)
		model->tumours[i].uptake_per_ml = edge_gy[i] / GY_PER_MBQ_PER_ML / HOT_ACTIVITY_MBQ;
	model->fall_mm = 8;
	model->tumours[1].core_uptake = 2.2;
	model->tumours[1].core_from = 0.35;
	model->tumours[1].core_to = 0.8;
}

void phantom_model_abdomen(struct phantom_model *model, const struct phantom_variant *variant)
{
	*model = (struct phantom_model){
	    .axes = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	    .low_mm = {-145, -85, -80},
	    .high_mm = {105, 85, 80},
	    .liver = {{{-68, 2, 0}, {70, 76, 74}}, {{25, -35, 16}, {70, 38, 40}}},
	    .liver_bodies = 2,
	    .has_parts = true,
	    .cut_normal = {0.95, -0.29, 0.1157583690279},
	    .cut_offset_mm = -6,
	    .left_uptake = 0.8,
	    .parted = variant->parted,
	    .n_tumours = sizeof tumours / sizeof tumours[0],
	    .plateau_mm = 6.5,
	    .fall_mm = 12,
	    .rim_mm = 8,
	    .liver_r2star_per_s = 45,
	    .tumour_r2star_per_s = 25,
	    .fat_share = variant->fat_percent / 100,
	    .sharp = variant->sharp,
	    .gas = variant->gas,
	};
	memcpy(model->tumours, tumours, sizeof tumours);
	if (variant->hot)
		heat(model);
	if (variant->necrosis) {
		model->tumours[LARGEST].core_from = 0.45;
		model->tumours[LARGEST].core_to = 0.65;
	}
	if (variant->untreated) {
		model->tumours[LARGEST].cap_from_mm = 8;
		model->tumours[LARGEST].cap_to_mm = 14;
	}
	if (variant->gas)
		model->tumours[model->n_tumours++] = dome;
}
