/* emission_series.h - PET and NM images -> one volume of activity concentration.
 *
 * PET (1.2.840.10008.5.1.4.1.1.128): one image per slice, Units BQML, rescale per image. NM
 * (1.2.840.10008.5.1.4.1.1.20): reconstructed tomography (RECON TOMO), multi-frame, counts; their
 * worth must be given:
 *
 *     activity [Bq] = counts / (scan duration [s] * sensitivity [cps/MBq]) * 1e6
 *
 * The duration is the time the rotation took: frames in rotation times the duration of a frame,
 * whatever the number of heads. A site's sensitivity has to be found the same way, from counts that
 * were reconstructed the same way. An NM image whose own Real World Value Mapping gives Bq/mL needs
 * no sensitivity.
 *
 * Quantitative SPECT is often stored as PET in BQML (Siemens xSPECT): it is told by its units, not
 * by its modality.
 *
 * A caller who needs ratios only (lung shunt, tumour to liver of a 99mTc-MAA scan) passes
 * cps_per_mbq NaN: an NM image then comes as counts per voxel, calibrated is false, and quotients
 * of sums or means over masks are right as they are.
 *
 * Slices are ordered by position along the normal; the same rules as mr_series.h. NM slices are
 * stacked from the first along the normal, or against it where Spacing Between Slices is negative.
 * Times are the images' own with (0008,0201) or "" for the site's zone.
 *
 * Reference time of values corrected to the START: series time, else (when that is later than the
 * images, as in series that were made afterwards) the earliest acquisition. Each image's Decay
 * Factor must agree with it within 1 %, else the other of the two is tried. */
#ifndef EMISSION_SERIES_H
#define EMISSION_SERIES_H

#include "dataset.h"
#include "emission.h"

struct emission_series {
	struct volume activity_bq_per_ml; /* values as stored times rescale; owned */
	char series_uid[65], station[68];
	char isotope[65]; /* code meaning or name as written: "^177^Lutetium" */
	char code_value[17], code_scheme[17];
	enum emission_decay corrected_to;
	char scan_start[33];	 /* DT of the values' reference: acquisition or series time */
	char administration[33]; /* radiopharmaceutical start date time; "" unknown */
	char utc_offset[8];
	double scan_duration_s; /* NaN unknown */
	double half_life_h;	/* the image's own; NaN unknown */
	double injected_mbq;	/* Radionuclide Total Dose, as Bq from 1e5 on; NaN unknown */
	bool calibrated; /* false: NM counts without a calibration; then the volume holds counts */
	double cps_per_mbq;			       /* NaN: none was needed, or there is none */
	bool attenuation_corrected, scatter_corrected; /* by Corrected Image (0028,0051) */
	bool lossy; /* the pixels were lossy compressed at some time */
	int slices;
	int slices_expected; /* Number of Slices (0054,0081), the same in all images; -1 unknown */
};

/* Reads the instances of one series (PET: one per slice; NM: one). cps_per_mbq: NaN unknown.
 * datasets are borrowed; series is untouched unless STATUS_OK, freed with emission_series_free().
 * STATUS_REFUSE, in words: units other than BQML (PET), NM that is no reconstructed tomography, a
 * gap or unequal slices, two images of one slice (dynamic, gated), values that differ in decay
 * correction or radionuclide between slices, two radionuclides, a decay correction to a time that
 * is not said, uncorrected slices of different times, pixels that cannot be decoded.
 * STATUS_RETRY: memory. */
enum status_code emission_series_read(struct emission_series *series,
				      struct dataset *const *datasets, int n_datasets,
				      double cps_per_mbq, struct status *st) STATUS_CHECKED;
void emission_series_free(struct emission_series *series);

/* Whether instances of this class may be such a series. */
bool emission_series_is_class(const char *sop_class_uid);

#endif
