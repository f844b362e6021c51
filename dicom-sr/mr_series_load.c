#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>

#include "mr_series.h"
#include "parallel.h"
#include "tags.h"

#define PHILIPS_CREATOR "Philips MR Imaging DD 001"
#define SAME_SLOPE	1e-5 /* of it: the digits of a decimal string */

struct loading {
	float *samples;
	const struct mr_series *series;
	enum status_code (*read)(void *user, int index, struct dataset **ds, struct status *st);
	void *user;
	atomic_int philips_scaled;
	pthread_mutex_t lock;		/* of all below */
	double least_slope, most_slope; /* of Philips images without the scale slope */
	struct status *st;
	size_t failed_cell; /* the fault of the first image wins, at any number of threads */
};

struct scaling {
	double factor, offset; /* signal = stored * factor + offset */
	double slope;	       /* as written */
	bool philips_scale;    /* Philips' scale slope is there */
	bool philips_unscaled; /* made by Philips, and it is not */
};

/* Philips (minc-tools issue 89; Chenevert et al., PMC3998685): FP = (PV * RS + RI) / (RS * SS) is
 * the value that can be compared between images; display values PV * RS + RI cannot always. */
static enum status_code read_scaling(struct scaling *scaling, const struct dataset *ds,
				     struct status *st)
{
	char manufacturer[260];
	double slope = dataset_get_double(ds, AT(TAG_RescaleSlope), 0);
	double intercept = dataset_get_double(ds, AT(TAG_RescaleIntercept), 0);
	double scale = dataset_get_private_double(ds, 0x2005, PHILIPS_CREATOR, 0x0E);

	/* archives may drop the public pair; the scanner's own one is kept beside it */
	if (isnan(slope)) {
		slope = dataset_get_private_double(ds, 0x2005, "Philips MR Imaging DD 005", 0x0A);
		intercept =
		    dataset_get_private_double(ds, 0x2005, "Philips MR Imaging DD 005", 0x09);
	}
	if (dataset_get_string(ds, AT(TAG_Manufacturer), manufacturer, sizeof(manufacturer), st) !=
	    STATUS_OK)
		return st->code;
	scaling->slope = scaling->factor = isnan(slope) ? 1 : slope;
	scaling->offset = isnan(intercept) ? 0 : intercept;
	if (scaling->factor == 0)
		return status_fail(st, STATUS_REFUSE, "rescale slope is 0");
	scaling->philips_scale = scale > 0;
	scaling->philips_unscaled =
	    !scaling->philips_scale && strncasecmp(manufacturer, "Philips", 7) == 0;
	if (scaling->philips_scale) {
		scaling->offset /= scaling->factor * scale;
		scaling->factor = 1 / scale;
	}
	return STATUS_OK;
}

static void note_scaling(struct loading *loading, const struct scaling *scaling)
{
	if (scaling->philips_scale)
		atomic_fetch_add(&loading->philips_scaled, 1);
	if (!scaling->philips_unscaled)
		return;
	pthread_mutex_lock(&loading->lock);
	loading->least_slope = fmin(loading->least_slope, scaling->slope);
	loading->most_slope = fmax(loading->most_slope, scaling->slope);
	pthread_mutex_unlock(&loading->lock);
}

static enum status_code load_image(struct loading *loading, size_t cell, struct status *st)
{
	const struct mr_series *series = loading->series;
	size_t echoes = (size_t)series->echoes, slices = (size_t)series->grid.slices;
	size_t pixels = (size_t)series->grid.rows * (size_t)series->grid.columns;
	size_t slice = cell / echoes, echo = cell % echoes;
	float *out = loading->samples + (echo * slices + slice) * pixels;
	struct dataset *ds = NULL;
	struct scaling scaling = {.factor = 1};
	enum status_code code;

	if (series->image[cell] < 0) {
		for (size_t i = 0; i < pixels; i++)
			out[i] = NAN;
		return STATUS_OK;
	}
	code = loading->read(loading->user, series->image[cell], &ds, st);
	if (code == STATUS_OK)
		code = dataset_get_frame(ds, 0, out, pixels, st);
	if (code == STATUS_OK)
		code = read_scaling(&scaling, ds, st);
	if (code == STATUS_OK) {
		note_scaling(loading, &scaling);
		if (scaling.factor != 1 || scaling.offset != 0)
			for (size_t i = 0; i < pixels; i++)
				out[i] = (float)((double)out[i] * scaling.factor + scaling.offset);
	} else {
		status_prefix(st, "slice %zu, echo %zu", slice + 1, echo + 1);
	}
	dataset_free(ds);
	return code;
}

static void load_range(void *user, size_t first, size_t last)
{
	struct loading *loading = user;

	for (size_t cell = first; cell < last; cell++) {
		struct status st = STATUS_INIT;
		if (load_image(loading, cell, &st) == STATUS_OK)
			continue;
		pthread_mutex_lock(&loading->lock);
		if (loading->st->code == STATUS_OK || cell < loading->failed_cell) {
			*loading->st = st;
			loading->failed_cell = cell;
		}
		pthread_mutex_unlock(&loading->lock);
		return;
	}
}

enum status_code mr_series_load(float *samples, const struct mr_series *series,
				enum status_code (*read)(void *user, int index, struct dataset **ds,
							 struct status *st),
				void *user, int threads, struct status *st)
{
	size_t cells = (size_t)series->grid.slices * (size_t)series->echoes, present = 0;
	struct status first_fault = STATUS_INIT;
	struct loading loading = {.samples = samples,
				  .series = series,
				  .read = read,
				  .user = user,
				  .least_slope = INFINITY,
				  .most_slope = -INFINITY,
				  .st = &first_fault};
	size_t scaled;

	atomic_init(&loading.philips_scaled, 0);
	pthread_mutex_init(&loading.lock, NULL);
	parallel_for(cells, 8, threads, load_range, &loading);
	pthread_mutex_destroy(&loading.lock);
	if (first_fault.code != STATUS_OK)
		return status_fail(st, first_fault.code, "%s", first_fault.text);
	for (size_t cell = 0; cell < cells; cell++)
		present += series->image[cell] >= 0;
	scaled = (size_t)atomic_load(&loading.philips_scaled);
	if (scaled != 0 && scaled != present)
		return status_fail(
		    st, STATUS_REFUSE,
		    "%zu of %zu images have the Philips scale slope: signals cannot be compared",
		    scaled, present);
	if (loading.most_slope - loading.least_slope > SAME_SLOPE * fabs(loading.most_slope))
		return status_fail(
		    st, STATUS_REFUSE,
		    "Philips images with rescale slopes from %g to %g and without Philips' private "
		    "scale slope (removed on the way?): signals cannot be compared",
		    loading.least_slope, loading.most_slope);
	return STATUS_OK;
}
