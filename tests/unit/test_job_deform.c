/* A job that bends a series onto the baseline: what it says, what it keeps, and when it does not.
 */
#include "registration_scene.h"

#include "deformation_cache.h"
#include "job_parts.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static char spool[64];
static struct job_case *c;
static struct config config;
static struct job job;
static struct catalogue_series rows[2];

/* 7 mm along z in the middle of the body. */
static void bump(double p[3])
{
	double square = p[0] * p[0] + p[1] * p[1] + p[2] * p[2];
	p[2] += 7 * exp(-square / (2 * 35 * 35));
}

/* Turns the middle inside out. */
static void fold(double p[3])
{
	double square = p[0] * p[0] + p[1] * p[1] + p[2] * p[2];
	double far = 1 - 2.2 * exp(-square / (2 * 22 * 22));
	p[0] *= far;
	p[1] *= far;
}

/* The S0 map of a scan of the body, as the fit would have kept it. */
static void keep_map(struct job_scan *scan, int index, const struct scene_view *view)
{
	struct grid grid = scene_grid(94, 80, 40, 2.25, 4.5);
	struct status st = STATUS_INIT;
	struct r2star_map map = {.sigma = 1, .te1_ms = 1.33, .usable_sigma = 4};
	char key[65];
	size_t voxels = grid_voxels(&grid);

	scene_image(&map.s0, &grid, view);
	assert_ok(volume_new(&map.r2star_per_s, &grid, 45, &st), &st);
	assert_ok(volume_new(&map.stderr_per_s, &grid, 1, &st), &st);
	assert_ok(volume_new(&map.first_echo, &grid, 90, &st), &st);
	map.state = malloc(voxels);
	memset(map.state, R2STAR_FITTED, voxels);
	rows[index].id = index + 1;
	snprintf(rows[index].evidence_hash, sizeof rows[index].evidence_hash, "scan %d", index);
	scan->series = &rows[index];
	scan->arranged.grid = grid;
	map_cache_key(key, rows[index].evidence_hash, config.usable_echo_sigma,
		      config.saturated_sigma);
	assert_ok(map_cache_put(spool, key, &map, 2, &st), &st);
	r2star_map_free(&map);
}

/* A case of a baseline at rest and one series, bent and shifted. */
static void begin(void (*bend)(double p[3]))
{
	const double angles[3] = {0, 0, 2 * DEGREES}, shift_mm[3] = {3, -2, 4}, middle[3] = {0};
	double to_body[RIGID_SIZE];
	struct scene_view rest = {.sigma = 8}, moved = {.sigma = 8, .bend = bend};

	scene_noise_seed = 77; /* the same images again */
	c = calloc(1, sizeof *c);
	job = (struct job){.n_scans = 1, .after_injection = 1};
	c->config = &config;
	c->job = &job;
	c->shown_over = &c->baseline;
	c->slots.n_after = 1;
	c->slots.after[0].after_injection = 1;
	c->after[0].after_injection = 1;
	rigid_from_angles(to_body, angles, shift_mm, middle);
	moved.to_body = to_body;
	keep_map(&c->baseline, 0, &rest);
	keep_map(&c->after[0], 1, &moved);
}

static void end(void)
{
	kept_map_free(&c->baseline.kept);
	kept_map_free(&c->after[0].kept);
	deformation_free(&c->after[0].deformation);
	free(c);
}

static void align(void)
{
	struct status st = STATUS_INIT;
	deformation_free(&c->after[0].deformation);
	c->n_alignments = c->n_warnings = 0;
	assert_ok(job_align(c, &st), &st);
	assert_int_equal(c->n_alignments, 2);
	print_message("%s: %s\n", c->alignments[1].to, c->alignments[1].words);
}

/* The one file of a kind among what is kept. */
static bool find_kept(char path[400], const char *extension)
{
	char folder[80];
	bool found = false;
	snprintf(folder, sizeof folder, "%s/maps", spool);
	DIR *list = opendir(folder);
	for (struct dirent *entry; list && (entry = readdir(list));) {
		const char *dot = strrchr(entry->d_name, '.');
		if (dot && strcmp(dot, extension) == 0) {
			snprintf(path, 400, "%s/%s", folder, entry->d_name);
			found = true;
		}
	}
	closedir(list);
	return found;
}

/* As if the job began anew; the maps can then not be read again. */
static void forget_maps(void)
{
	char path[400];
	kept_map_free(&c->baseline.kept);
	kept_map_free(&c->after[0].kept);
	while (find_kept(path, ".r2s"))
		unlink(path);
}

static void a_bent_series_is_bent_back_and_said_so(void **state)
{
	char path[400];
	(void)state;
	begin(bump);
	config.register_nonrigid = false;
	align();
	double rigid_mm = c->after[0].residual_mm;
	assert_int_equal(c->alignments[1].origin, REPORT_ALIGNMENT_REGISTERED);
	assert_null(c->after[0].deformation.displacement_mm);
	assert_false(find_kept(path, ".def"));

	config.register_nonrigid = true;
	align();
	const struct report_alignment *line = &c->alignments[1];
	assert_int_equal(line->origin, REPORT_ALIGNMENT_NONRIGID);
	assert_non_null(c->after[0].deformation.displacement_mm);
	assert_non_null(strstr(line->words, "B-splines with control points 30 mm apart"));
	assert_non_null(strstr(line->words, "volumes changed by factors of"));
	assert_true(line->residual_mm == c->after[0].residual_mm);
	assert_true(c->after[0].residual_mm < 0.5 * rigid_mm);
	assert_int_equal(c->n_warnings, 0);
	/* a point of the middle: the scan shows there what the baseline shows 7 mm higher */
	const double middle_mm[3] = {0, 0, 0};
	double moved_mm[3], there_mm[3], body_mm[3];
	rigid_apply(moved_mm, c->after[0].to_result, middle_mm);
	deformation_apply(there_mm, &c->after[0].deformation, moved_mm);
	const double angles[3] = {0, 0, 2 * DEGREES}, shift_mm[3] = {3, -2, 4};
	double to_body[RIGID_SIZE];
	rigid_from_angles(to_body, angles, shift_mm, middle_mm);
	rigid_apply(body_mm, to_body, moved_mm);
	bump(body_mm);
	for (int a = 0; a < 3; a++)
		assert_close(there_mm[a], body_mm[a], 0.6, 0);
	end();
}

static void what_was_found_is_kept(void **state)
{
	char path[400];
	struct deformation first;
	(void)state;
	begin(bump);
	config.register_nonrigid = true;
	align();
	first = c->after[0].deformation;
	c->after[0].deformation.displacement_mm = NULL;
	size_t bytes = 3 * grid_voxels(&first.control) * sizeof *first.displacement_mm;
	double residual_mm = c->after[0].residual_mm;

	/* no image is read for it again */
	forget_maps();
	align();
	assert_null(c->after[0].kept.file.mapping);
	assert_memory_equal(c->after[0].deformation.displacement_mm, first.displacement_mm, bytes);
	assert_memory_equal(c->after[0].deformation.rigid, first.rigid, sizeof first.rigid);
	assert_true(c->after[0].residual_mm == residual_mm);
	assert_int_equal(c->alignments[1].origin, REPORT_ALIGNMENT_NONRIGID);
	end();

	/* damaged, it is made again, the same to the bit */
	begin(bump);
	assert_true(find_kept(path, ".def"));
	FILE *file = fopen(path, "r+b");
	assert_int_equal(fseek(file, 5000, SEEK_SET), 0);
	assert_int_equal(fputc('x', file), 'x');
	fclose(file);
	align();
	assert_non_null(c->after[0].kept.file.mapping);
	assert_memory_equal(c->after[0].deformation.displacement_mm, first.displacement_mm, bytes);
	/* and so it is when it is cut */
	kept_map_free(&c->after[0].kept);
	assert_int_equal(truncate(path, 4096), 0);
	align();
	assert_non_null(c->after[0].kept.file.mapping);
	assert_memory_equal(c->after[0].deformation.displacement_mm, first.displacement_mm, bytes);
	/* another bending weight is another answer */
	kept_map_free(&c->after[0].kept);
	config.bending_weight = 0.1;
	align();
	assert_non_null(c->after[0].kept.file.mapping);
	assert_memory_not_equal(c->after[0].deformation.displacement_mm, first.displacement_mm,
				bytes);
	config.bending_weight = 0.01;
	deformation_free(&first);
	end();
}

static void what_is_not_kept_leaves_the_rigid_answer(void **state)
{
	(void)state;
	begin(NULL);
	config.register_nonrigid = true;
	align();
	assert_int_equal(c->alignments[1].origin, REPORT_ALIGNMENT_REGISTERED);
	assert_null(c->after[0].deformation.displacement_mm);
	assert_non_null(
	    strstr(c->alignments[1].words, "no non-rigid part: the deformation is not"));
	assert_int_equal(c->n_warnings, 0);
	/* the same from what is kept */
	forget_maps();
	align();
	assert_non_null(
	    strstr(c->alignments[1].words, "no non-rigid part: the deformation is not"));
	end();
}

static void a_folding_field_is_warned_of(void **state)
{
	(void)state;
	begin(fold);
	config.register_nonrigid = true;
	config.control_spacing_mm = 18;
	config.bending_weight = 1e-4;
	align();
	config.control_spacing_mm = 30;
	config.bending_weight = 0.01;
	assert_null(c->after[0].deformation.displacement_mm);
	assert_int_equal(c->alignments[1].origin, REPORT_ALIGNMENT_REGISTERED);
	bool warned = false;
	for (int i = 0; i < c->n_warnings; i++)
		warned = warned || (strcmp(c->warnings[i].code, "HO139") == 0 &&
				    strstr(c->warnings[i].text, "its rigid alignment stands"));
	assert_true(warned);
	end();
}

static void a_given_transform_is_not_bent(void **state)
{
	(void)state;
	begin(bump);
	config.register_nonrigid = true;
	c->slots.after[0].transform.given = TREATMENT_FROM_BASELINE;
	rigid_identity(c->slots.after[0].transform.matrix);
	align();
	assert_int_equal(c->alignments[1].origin, REPORT_ALIGNMENT_GIVEN);
	assert_null(c->after[0].deformation.displacement_mm);
	end();
}

static int make_spool(void **state)
{
	(void)state;
	strcpy(spool, "/tmp/holmia-deform-XXXXXX");
	if (!mkdtemp(spool))
		return 1;
	config = (struct config){.register_rigid = true,
				 .registration_margin_mm = 15,
				 .registration_limit_mm = 5,
				 .control_spacing_mm = 30,
				 .bending_weight = 0.01,
				 .usable_echo_sigma = 4,
				 .saturated_sigma = 2,
				 .threads_per_worker = 2};
	snprintf(config.spool, sizeof config.spool, "%s", spool);
	return 0;
}

static int remove_spool(void **state)
{
	char command[100];
	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", spool);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_bent_series_is_bent_back_and_said_so, make_spool,
					    remove_spool),
	    cmocka_unit_test_setup_teardown(what_was_found_is_kept, make_spool, remove_spool),
	    cmocka_unit_test_setup_teardown(what_is_not_kept_leaves_the_rigid_answer, make_spool,
					    remove_spool),
	    cmocka_unit_test_setup_teardown(a_folding_field_is_warned_of, make_spool, remove_spool),
	    cmocka_unit_test_setup_teardown(a_given_transform_is_not_bent, make_spool,
					    remove_spool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
