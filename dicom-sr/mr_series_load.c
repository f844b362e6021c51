#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "mr_series.h"
#include "parallel.h"
#include "tags.h"

#define PHILIPS_CREATOR "Philips MR Imaging DD 001"

struct loading {
	float *samples;
	const struct mr_series *series;
	enum status_code (*read)(void *user, int index, struct dataset **ds, struct status *st);
	void *user;
	atomic_int philips_scaled;
	pthread_mutex_t lock; /* of st and of failed_cell */
	struct status *st;
	size_t failed_cell; /* the fault of the first image wins, at any number of threads */
};

/* signal = stored * factor + offset.
 * Philips (minc-tools issue 89; Chenevert et al., PMC3998685): FP = (PV * RS + RI) / (RS * SS) is
 * the value that can be compared between images; display values PV * RS + RI cannot always. */
static enum status_code read_scaling(double *factor, double *offset, bool *philips,
				     const struct dataset *ds, struct status *st)
{
	double slope = dataset_get_double(ds, AT(TAG_RescaleSlope), 0);
	double intercept = dataset_get_double(ds, AT(TAG_RescaleIntercept), 0);
	double scale = dataset_get_private_double(ds, 0x2005, PHILIPS_CREATOR, 0x0E);

	/* archives may drop the public pair; the scanner's own one is kept beside it */
	if (isnan(slope)) {
		slope = dataset_get_private_double(ds, 0x2005, "Philips MR Imaging DD 005", 0x0A);
		intercept =
		    dataset_get_private_double(ds, 0x2005, "Philips MR Imaging DD 005", 0x09);
	}
	*factor = isnan(slope) ? 1 : slope;
	*offset = isnan(intercept) ? 0 : intercept;
	if (*factor == 0)
		return status_fail(st, STATUS_REFUSE, "rescale slope is 0");
	*philips = scale > 0;
	if (*philips) {
		*offset /= *factor * scale;
		*factor = 1 / scale;
	}
	return STATUS_OK;
}

static enum status_code load_image(struct loading *loading, size_t cell, struct status *st)
{
	const struct mr_series *series = loading->series;
	size_t echoes = (size_t)series->echoes, slices = (size_t)series->grid.slices;
	size_t pixels = (size_t)series->grid.rows * (size_t)series->grid.columns;
	size_t slice = cell / echoes, echo = cell % echoes;
	float *out = loading->samples + (echo * slices + slice) * pixels;
	struct dataset *ds = NULL;
	double factor = 1, offset = 0;
	bool philips = false;
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
		code = read_scaling(&factor, &offset, &philips, ds, st);
	if (code == STATUS_OK) {
		if (philips)
			atomic_fetch_add(&loading->philips_scaled, 1);
		if (factor != 1 || offset != 0)
			for (size_t i = 0; i < pixels; i++)
				out[i] = (float)((double)out[i] * factor + offset);
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
	struct loading loading = {
	    .samples = samples, .series = series, .read = read, .user = user, .st = &first_fault};
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
	return STATUS_OK;
}
