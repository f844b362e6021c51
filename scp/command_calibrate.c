/* holmia calibrate: a relaxivity from a multi-echo scan of vials of known concentration. */
#define _GNU_SOURCE /* strcasestr */
#include "command_calibrate.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command_common.h"
#include "command_images.h"
#include "commands.h"
#include "process.h"

#define DEVIATION_LIMIT_PERCENT 5

static const char help[] =
    "usage: holmia calibrate -c CONFIG --temperature-k K --holmium-percent P [OPTIONS] PATH...\n"
    "\n"
    "Finds the relaxivity of the microspheres (rise of R2* per mg/mL) from a scan of vials, and\n"
    "prints one page and the <relaxivity> element for the configuration. PATH...: files or\n"
    "folders with one multi-echo gradient echo series and one RT Structure Set with a contour per\n"
    "vial. Scan with the sequence of the patients, at least three concentrations (six are better,\n"
    "0 mg/mL among them), vials along the slices' normal and several voxels wide.\n"
    "\n"
    "  -c, --config CONFIG      noise limits of the R2* fit, threads\n"
    "      --temperature-k K    of the vials, kelvin (20 C is 293, body 310)\n"
    "      --holmium-percent P  holmium content of the microspheres, percent by weight\n"
    "      --vials FILE         lines of NAME,MG_PER_ML; else contour names say it, as in\n"
    "                           \"Vial 0.50 mg/mL\" (mg of microspheres, not of holmium)\n"
    "      --product NAME       limits the element to the record's product of this name\n"
    "      --series UID         of the multi-echo series, where there are several\n"
    "      --limit PERCENT      a highest vial farther off the line through the others than\n"
    "                           this ends the linear range (5)\n"
    "      --json               the same as JSON\n"
    "\n"
    "exit: 0 done, 1 refused (in words), 2 usage or configuration, 3 temporary, 4 bug\n";

struct request {
	const char *config_path, *vials_path, *series_uid;
	bool json;
	char **paths;
	int n_paths;
};

/* ---- which vials ---- */

double calibrate_concentration(const char *name)
{
	const char *unit = strcasestr(name, "mg/ml"), *start;
	char number[32], *comma, *end;
	if (unit == NULL)
		return (double)NAN;
	const char *stop = unit;
	while (stop > name && (stop[-1] == ' ' || stop[-1] == '_'))
		stop--;
	for (start = stop; start > name && (isdigit((unsigned char)start[-1]) || start[-1] == '.' ||
					    start[-1] == ',');)
		start--;
	if (start == stop || (size_t)(stop - start) >= sizeof number)
		return (double)NAN;
	memcpy(number, start, (size_t)(stop - start));
	number[stop - start] = '\0';
	comma = strchr(number, ',');
	if (comma != NULL)
		*comma = '.';
	double value = strtod(number, &end);
	return *end == '\0' ? value : (double)NAN;
}

static enum status_code add_vial(struct calibrate_run *run, const char *name, double mg_per_ml,
				 struct status *st)
{
	for (int i = 0; i < run->n_vials; i++) {
		if (strcasecmp(run->names[i], name) == 0)
			return status_fail(st, STATUS_REFUSE, "vial \"%s\" is there twice", name);
	}
	if (run->n_vials == CALIBRATION_MAX_VIALS)
		return status_fail(st, STATUS_REFUSE, "more than %d vials", CALIBRATION_MAX_VIALS);
	int at = run->n_vials++;
	snprintf(run->names[at], sizeof run->names[at], "%s", name);
	run->vials[at] =
	    (struct calibration_vial){.name = run->names[at], .microspheres_mg_per_ml = mg_per_ml};
	return STATUS_OK;
}

static enum status_code read_line(struct calibrate_run *run, char *line, const char *path,
				  int number, struct status *st)
{
	char *comma = strrchr(line, ','), *end;
	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '\0' || line[0] == '#')
		return STATUS_OK;
	double value = comma != NULL ? strtod(comma + 1, &end) : (double)NAN;
	bool good = comma != NULL && end != comma + 1 && end[strspn(end, " \t")] == '\0';
	if (!good && number == 1 && strpbrk(line, "0123456789") == NULL) /* a heading */
		return STATUS_OK;
	if (!good)
		return status_fail(st, STATUS_REFUSE,
				   "%s:%d: \"%s\": expected NAME,MG_PER_ML with a decimal point",
				   path, number, line);
	for (*comma = '\0'; comma > line && isspace((unsigned char)comma[-1]);)
		*--comma = '\0';
	if (add_vial(run, line, value, st) != STATUS_OK)
		return status_prefix(st, "%s:%d", path, number);
	return STATUS_OK;
}

enum status_code calibrate_read_table(struct calibrate_run *run, const char *path,
				      struct status *st)
{
	char *line = NULL;
	size_t room = 0;
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return status_fail(st, STATUS_CONFIG, "%s: %s", path, strerror(errno));
	for (int number = 1; st->code == STATUS_OK && getline(&line, &room, file) >= 0; number++)
		(void)!read_line(run, line, path, number, st);
	free(line);
	fclose(file);
	if (st->code == STATUS_OK && run->n_vials == 0)
		return status_fail(st, STATUS_REFUSE, "%s: no vials", path);
	return st->code;
}

/* Vials from the contours' names. Contours that name no concentration are told. */
static enum status_code name_vials(struct calibrate_run *run, const struct rt_structure_set *set,
				   struct status *st)
{
	for (int i = 0; i < set->n_rois && st->code == STATUS_OK; i++) {
		double mg_per_ml = calibrate_concentration(set->rois[i].name);
		if (isnan(mg_per_ml))
			fprintf(stderr, "not a vial: contour \"%s\" names no mg/mL\n",
				set->rois[i].name);
		else
			(void)!add_vial(run, set->rois[i].name, mg_per_ml, st);
	}
	if (st->code == STATUS_OK && run->n_vials == 0)
		return status_fail(st, STATUS_REFUSE,
				   "no contour names a concentration (\"Vial 0.50 mg/mL\"); "
				   "--vials FILE can say it");
	return st->code;
}

static const struct rt_roi *find_roi(const struct rt_structure_set *set, const char *name)
{
	for (int i = 0; i < set->n_rois; i++) {
		if (strcasecmp(set->rois[i].name, name) == 0)
			return &set->rois[i];
	}
	return NULL;
}

/* ---- which series ---- */

static bool is_candidate(const struct mr_series *arranged, bool report, const char *uid)
{
	bool good = arranged->echoes >= 3 && arranged->complete;
	if (!good && report)
		fprintf(stderr, "not used: series %s: %s\n", uid,
			arranged->echoes < 3 ? "fewer than three echoes" : arranged->missing);
	return good;
}

/* The only complete multi-echo series; of several the one that the contours were drawn on. */
static enum status_code choose_series(const char **chosen, const struct command_images *images,
				      const char *drawn_on, struct status *st)
{
	int candidates = 0;
	*chosen = NULL;
	for (int i = 0; i < images->count; i++) {
		const struct instance_info *info = &images->images[i].info;
		struct command_series series;
		struct status own = STATUS_INIT;
		bool seen = strcmp(info->modality, "MR") != 0;
		for (int j = 0; j < i && !seen; j++)
			seen = strcmp(images->images[j].info.series_instance_uid,
				      info->series_instance_uid) == 0;
		if (seen)
			continue;
		if (command_series_open(&series, images, info->series_instance_uid, &own) !=
		    STATUS_OK) {
			fprintf(stderr, "not used: %s\n", own.text);
			continue;
		}
		bool good = is_candidate(&series.arranged, true, info->series_instance_uid);
		candidates += good;
		if (good && (*chosen == NULL || strcmp(info->series_instance_uid, drawn_on) == 0))
			*chosen = info->series_instance_uid;
		command_series_close(&series);
	}
	if (candidates == 0)
		return status_fail(st, STATUS_REFUSE,
				   "no complete series of three echoes or more among %d DICOM "
				   "files",
				   images->count);
	if (candidates > 1 && strcmp(*chosen, drawn_on) != 0)
		return status_fail(st, STATUS_REFUSE,
				   "%d multi-echo series, and the contours are drawn on none of "
				   "them: choose with --series UID (one is %s)",
				   candidates, *chosen);
	return STATUS_OK;
}

/* ---- measuring ---- */

static enum status_code fit_series(struct r2star_map *map, struct calibrate_run *run,
				   struct command_series *series, struct status *st)
{
	const struct mr_series *arranged = &series->arranged;
	const struct r2star_params params = {
	    .usable_sigma = run->config->usable_echo_sigma,
	    .saturated_sigma = run->config->saturated_sigma,
	    .threads = run->config->threads_per_worker,
	};
	size_t values = (size_t)arranged->echoes * grid_voxels(&arranged->grid);
	float *samples = malloc(values * sizeof *samples);
	if (samples == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for %d echoes", arranged->echoes);
	const struct echo_series echoes = {.grid = arranged->grid,
					   .echoes = arranged->echoes,
					   .te_ms = arranged->te_ms,
					   .samples = samples};
	if (mr_series_load(samples, arranged, command_series_image, series, params.threads, st) ==
	    STATUS_OK)
		(void)!r2star_fit(map, &echoes, &params, st);
	free(samples);
	return st->code;
}

static enum status_code measure_vials(struct calibrate_run *run, const struct rt_structure_set *set,
				      const struct grid *drawn_on, const struct r2star_map *map,
				      struct status *st)
{
	for (int i = 0; i < run->n_vials && st->code == STATUS_OK; i++) {
		struct mask mask = MASK_INIT;
		const struct rt_roi *roi = find_roi(set, run->names[i]);
		if (roi == NULL || roi->n_contours == 0)
			return status_fail(st, STATUS_REFUSE, "vial \"%s\" has no contour",
					   run->names[i]);
		if (command_mask(&mask, roi, drawn_on, &map->r2star_per_s.grid, st) == STATUS_OK)
			(void)!calibration_measure_vial(&run->vials[i], map, &mask, st);
		mask_free(&mask);
	}
	return st->code;
}

static enum status_code measure_series(struct calibrate_run *run, struct command_series *series,
				       const struct rt_structure_set *set,
				       const struct grid *drawn_on, struct status *st)
{
	struct r2star_map map = {.state = NULL};
	run->scan = series->arranged;
	run->scan.image = NULL;
	run->first = series->infos[0];
	if (!(run->scan.field_strength_t > 0))
		return status_fail(st, STATUS_REFUSE,
				   "no magnetic field strength in the images: a relaxivity belongs "
				   "to one");
	if (!run->scan.complete)
		return status_fail(st, STATUS_REFUSE, "series %s: %s",
				   run->first.series_instance_uid, run->scan.missing);
	if (fit_series(&map, run, series, st) == STATUS_OK)
		(void)!measure_vials(run, set, drawn_on, &map, st);
	run->sigma = map.sigma;
	r2star_map_free(&map);
	return st->code;
}

static enum status_code measure(struct calibrate_run *run, const struct request *request,
				const struct command_images *images,
				const struct rt_structure_set *set, struct status *st)
{
	const char *uid = request->series_uid;
	struct command_series series = {.count = 0}, drawn = {.count = 0};
	struct status own = STATUS_INIT;
	if (uid == NULL && choose_series(&uid, images, set->referenced_series_uid, st) != STATUS_OK)
		return st->code;
	if (command_series_open(&series, images, uid, st) != STATUS_OK)
		return st->code;
	/* the slices they were drawn on, when these are here; else the scan's */
	bool other =
	    strcmp(set->referenced_series_uid, uid) != 0 &&
	    command_series_open(&drawn, images, set->referenced_series_uid, &own) == STATUS_OK;
	(void)!measure_series(run, &series, set,
			      other ? &drawn.arranged.grid : &series.arranged.grid, st);
	command_series_close(&drawn);
	command_series_close(&series);
	return st->code;
}

static enum status_code run_calibration(struct calibrate_run *run, const struct request *request,
					struct status *st)
{
	struct command_images images = {.count = 0};
	struct rt_structure_set set = {.n_rois = 0};
	if (dataset_library_init(st) == STATUS_OK &&
	    command_images_read(&images, (const char *const *)request->paths, request->n_paths,
				run->config->max_instance_mb, st) == STATUS_OK &&
	    command_images_structures(&set, &images, st) == STATUS_OK &&
	    (request->vials_path != NULL ? calibrate_read_table(run, request->vials_path, st)
					 : name_vials(run, &set, st)) == STATUS_OK &&
	    measure(run, request, &images, &set, st) == STATUS_OK)
		(void)!calibration_fit(&run->result, run->vials, run->n_vials,
				       run->deviation_limit_percent, st);
	rt_structure_set_free(&set);
	command_images_free(&images);
	return st->code;
}

/* ---- the command ---- */

int command_calibrate(int argc, char **argv)
{
	struct status st = STATUS_INIT;
	struct request request = {0};
	struct config *config = NULL;
	const char *temperature = NULL, *holmium = NULL, *limit = NULL, *product = "";
	double temperature_k = (double)NAN, holmium_percent = (double)NAN,
	       limit_percent = DEVIATION_LIMIT_PERCENT;
	int first = 0;
	const struct command_option options[] = {
	    {'c', "config", COMMAND_TEXT, &request.config_path},
	    {0, "temperature-k", COMMAND_TEXT, &temperature},
	    {0, "holmium-percent", COMMAND_TEXT, &holmium},
	    {0, "vials", COMMAND_TEXT, &request.vials_path},
	    {0, "product", COMMAND_TEXT, &product},
	    {0, "series", COMMAND_TEXT, &request.series_uid},
	    {0, "limit", COMMAND_TEXT, &limit},
	    {0, "json", COMMAND_FLAG, &request.json},
	};
	int code = command_options(&first, argc, argv, help, options,
				   (int)(sizeof options / sizeof options[0]));
	if (code >= 0)
		return code;
	if (temperature == NULL || holmium == NULL)
		return command_usage("calibrate",
				     "--temperature-k and --holmium-percent are needed: a "
				     "relaxivity without them cannot be used for another batch");
	if ((code = command_number(&temperature_k, "calibrate", "temperature-k", temperature, 273,
				   320)) >= 0 ||
	    (code = command_number(&holmium_percent, "calibrate", "holmium-percent", holmium, 1,
				   60)) >= 0 ||
	    (code = command_number(&limit_percent, "calibrate", "limit", limit, 0.1, 50)) >= 0)
		return code;
	if (first == argc)
		return command_usage("calibrate",
				     "name the files or folders of the scan and its contours");
	code = command_config(&config, request.config_path, "calibrate", false);
	if (config == NULL)
		return code;
	struct calibrate_run *run = calloc(1, sizeof *run);
	if (run == NULL) {
		status_fail(&st, STATUS_RETRY, "no memory");
	} else {
		run->config = config;
		run->product = product;
		run->temperature_k = temperature_k;
		run->holmium_percent = holmium_percent;
		run->deviation_limit_percent = limit_percent;
		request.paths = argv + first;
		request.n_paths = argc - first;
		process_catch_signals();
		if (run_calibration(run, &request, &st) == STATUS_OK)
			(request.json ? calibrate_print_json : calibrate_print_page)(stdout, run);
	}
	if (st.code != STATUS_OK)
		fprintf(stderr, "holmia calibrate: %s\n", st.text);
	free(run);
	config_free(config);
	return (int)st.code;
}
