/* The node's R2* on a real GE series against scipy.optimize.curve_fit: same model, same voxels,
 * same echoes. */
#include "check.h"

#include <dirent.h>
#include <stdlib.h>

#include "mr_series.h"

#define SERIES "01_mr_multiecho/ge_mr750_r2star_s16_noFS"
#define EVERY  60

static struct status st;

struct folder {
	char path[120][400];
	struct instance_info infos[120];
	int count;
};
static struct folder folder;

static enum status_code read_image(void *user, int index, struct dataset **ds,
				   struct status *status)
{
	const struct folder *from = user;

	return dataset_read_file(ds, from->path[index], status);
}

static void read_folder(void)
{
	DIR *dir = opendir(DATA_DIR "/" SERIES);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		struct dataset *ds = NULL;
		if (entry->d_name[0] == '.')
			continue;
		snprintf(folder.path[folder.count], sizeof(folder.path[0]),
			 DATA_DIR "/" SERIES "/%s", entry->d_name);
		assert_ok(dataset_read_file(&ds, folder.path[folder.count], &st), &st);
		assert_ok(instance_info_read(&folder.infos[folder.count], ds, &st), &st);
		dataset_free(ds);
		folder.count++;
	}
	closedir(dir);
}

static int usable_echoes(const float *samples, size_t voxels, size_t v, int echoes, double limit)
{
	int n = 0;

	while (n < echoes && (double)samples[(size_t)n * voxels + v] > limit)
		n++;
	return n;
}

static void write_voxels(FILE *file, const struct r2star_map *map, const struct mr_series *series,
			 const float *samples)
{
	size_t voxels = grid_voxels(&series->grid), fitted = 0;
	double sigma = map->sigma;

	fprintf(file, "%.17g", sigma);
	for (int e = 0; e < series->echoes; e++)
		fprintf(file, " %.17g", series->te_ms[e]);
	fprintf(file, "\n");
	for (size_t v = 0; v < voxels; v++) {
		/* tissue only: first echo well above the noise */
		if (map->state[v] != R2STAR_FITTED || (double)samples[v] < 10 * sigma ||
		    fitted++ % EVERY != 0)
			continue;
		fprintf(
		    file, "%.9g %d", (double)map->r2star_per_s.samples[v],
		    usable_echoes(samples, voxels, v, series->echoes, map->usable_sigma * sigma));
		for (int e = 0; e < series->echoes; e++)
			fprintf(file, " %.9g", (double)samples[(size_t)e * voxels + v]);
		fprintf(file, "\n");
	}
}

static void agrees_with_scipy(void **state)
{
	char path[] = "/tmp/holmia-r2star-XXXXXX", command[1000];
	struct mr_series series;
	struct r2star_map map;
	struct r2star_params params = R2STAR_PARAMS_DEFAULT;
	int count = 0;
	double median = -1, high = -1;

	(void)state;
	require_data(SERIES);
	if (system("/usr/bin/python3 -c 'import scipy' 2>/dev/null") != 0) {
		print_message("SKIP: no scipy for /usr/bin/python3\n");
		skip();
	}
	assert_ok(dataset_library_init(&st), &st);
	read_folder();
	assert_ok(mr_series_arrange(&series, folder.infos, folder.count, &st), &st);
	float *samples =
	    malloc((size_t)series.echoes * grid_voxels(&series.grid) * sizeof(*samples));
	assert_non_null(samples);
	assert_ok(mr_series_load(samples, &series, read_image, &folder, 2, &st), &st);
	struct echo_series echoes = {.grid = series.grid,
				     .echoes = series.echoes,
				     .te_ms = series.te_ms,
				     .samples = samples};
	assert_ok(r2star_fit(&map, &echoes, &params, &st), &st);

	FILE *file = fdopen(mkstemp(path), "w");
	assert_non_null(file);
	write_voxels(file, &map, &series, samples);
	fclose(file);
	snprintf(command, sizeof(command),
		 "/usr/bin/python3 -W ignore %s/tests/property/fit_r2star.py %s", SOURCE_DIR, path);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%d %lf %lf", &count, &median, &high), 3);
	pclose(pipe);
	unlink(path);
	print_message("%d voxels: |node - scipy| median %.2g /s, 95 %% below %.2g /s\n", count,
		      median, high);
	assert_true(count > 500);
	assert_close(median, 0, 0.1, 0);
	free(samples);
	r2star_map_free(&map);
	mr_series_free(&series);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_scipy)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
