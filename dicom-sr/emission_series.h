/* emission_series.h - PET and NM images -> one volume of activity concentration.
 *
 * PET (1.2.840.10008.5.1.4.1.1.128): one image per slice, Units BQML, rescale per image. NM
 * (1.2.840.10008.5.1.4.1.1.20): reconstructed tomography (RECON TOMO), multi-frame, counts; their
 * worth must be given:
 *
 *     activity [Bq] = counts / (scan duration [s] * sensitivity [cps/MBq]) * 1e6
 *
 * Quantitative SPECT is often stored as PET in BQML (Siemens xSPECT): it is told by its units, not
 * by its modality.
 *
 * Slices are ordered by position along the normal; the same rules as mr_series.h. Times are the
 * images' own with (0008,0201) or "" for the site's zone. */
#ifndef EMISSION_SERIES_H
#define EMISSION_SERIES_H

#include "dataset.h"
#include "emission.h"

struct emission_series {
	struct volume activity_bq_per_ml; /* values as stored times rescale; owned */
	char isotope[65];		  /* code meaning or name as written: "^177^Lutetium" */
	char code_value[17], code_scheme[17];
	enum emission_decay corrected_to;
	char scan_start[33];	 /* DT of the values' reference: acquisition or series time */
	char administration[33]; /* radiopharmaceutical start date time; "" unknown */
	char utc_offset[8];
	double scan_duration_s; /* NaN unknown */
	double half_life_h;	/* the image's own; NaN unknown */
	double injected_mbq;	/* Radionuclide Total Dose; NaN unknown */
	bool calibrated; /* false: NM counts without a calibration; then the volume holds counts */
	int slices;
};

/* Reads the instances of one series (PET: one per slice; NM: one). cps_per_mbq: NaN unknown.
 * datasets are borrowed; series is untouched unless STATUS_OK, freed with emission_series_free().
 * STATUS_REFUSE, in words: units other than BQML (PET), NM that is no reconstructed tomography, a
 * gap or unequal slices, values that differ in decay correction or radionuclide between slices,
 * pixels that cannot be decoded. */
enum status_code emission_series_read(struct emission_series *series,
				      struct dataset *const *datasets, int n_datasets,
				      double cps_per_mbq, struct status *st) STATUS_CHECKED;
void emission_series_free(struct emission_series *series);

#endif
