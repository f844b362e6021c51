/* holmia prescribe: how much activity, and what it would do. A plan for a person to decide on. */
#include "command_prescribe.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command_common.h"
#include "commands.h"
#include "process.h"

static const char help[] =
    "usage: holmia prescribe -c CONFIG [OPTIONS] --position NAME:VOLUME_ML...\n"
    "       holmia prescribe -c CONFIG [OPTIONS] [--position NAME...] PATH...\n"
    "\n"
    "Plans a treatment: activity = target dose x targeted mass / dose constant (3781 MBq per kg\n"
    "for 60 Gy), split over catheter positions by targeted volume; with a simulation also T/N and\n"
    "the doses of tumours, healthy liver and lungs that the partition model predicts. Sends\n"
    "nothing. A plan for a person to decide on.\n"
    "\n"
    "  -c, --config CONFIG       dose constant, density; <planning> with the target dose\n"
    "  -p, --position SPEC       NAME:VOLUME_ML[:necrosis=ML][:tumour=ML][:tn=RATIO]\n"
    "                            [:reduce=FACTOR]; the volume includes tumours and necrosis, the\n"
    "                            tumours do not include necrosis; tn: a T/N that is known\n"
    "                            without --simulation; reduce=0.5 halves the activity.\n"
    "                            With contours NAME alone is enough: the contour of that name\n"
    "  PATH...                   files and folders with an RT Structure Set and the images (CT,\n"
    "                            MR) it is drawn on. Without --position every part (by the voi\n"
    "                            rules) is one, or else the liver\n"
    "      --structures FILE     the structure set, where PATH... has several or none\n"
    "      --simulation FOLDER   SPECT of 99mTc-MAA or a scout dose, in the frame of reference of\n"
    "                            the contours; counts are enough\n"
    "      --lungs NAME          contour of the lungs, or of one: lung shunt from the simulation\n"
    "      --lung-shunt FRACTION 0 to 1, when known otherwise\n"
    "      --target-dose GY      instead of the configuration's\n"
    "      --lung-mass KG        instead of the configuration's\n"
    "      --specific-activity A MBq per mg of microspheres at injection: gives their mass\n"
    "      --delivered-share S   of a vial's activity that reaches the patient (source paper:\n"
    "                            0.914 on average): gives the activity to have in the vial\n"
    "      --fractions P,P,...   percent per injection (10,30,30,30)\n"
    "      --json                the plan as JSON\n"
    "\n"
    "exit: 0 done, 1 refused (in words), 2 usage or configuration, 3 temporary, 4 bug\n";

void prescribe_note(struct prescribe_run *run, const char *format, ...)
{
	va_list arguments;
	if (run->n_notes == PRESCRIBE_MAX_NOTES)
		return;
	va_start(arguments, format);
	vsnprintf(run->notes[run->n_notes++], sizeof run->notes[0], format, arguments);
	va_end(arguments);
}

/* ---- positions as typed ---- */

enum status_code prescribe_add_position(struct prescribe_run *run, const char *name,
					struct status *st)
{
	int at = run->input.n_positions;
	for (int i = 0; i < at; i++) {
		if (strcasecmp(run->names[i], name) == 0)
			return status_fail(st, STATUS_REFUSE, "position \"%s\" is there twice",
					   name);
	}
	if (at == PRESCRIPTION_MAX_POSITIONS)
		return status_fail(st, STATUS_REFUSE, "more than %d positions",
				   PRESCRIPTION_MAX_POSITIONS);
	snprintf(run->names[at], sizeof run->names[at], "%s", name);
	run->positions[at] = (struct prescription_position){
	    .name = run->names[at],
	    .targeted_volume_ml = (double)NAN,
	    .tumour_volume_ml = (double)NAN,
	    .reduction = 1,
	    .tumour_counts = (double)NAN,
	    .normal_counts = (double)NAN,
	};
	run->input.n_positions++;
	return STATUS_OK;
}

static bool read_number(double *value, const char *text)
{
	char *end;
	*value = strtod(text, &end);
	return end != text && *end == '\0' && isfinite(*value);
}

/* One piece of a position: VOLUME_ML or KEY=NUMBER. */
static enum status_code read_piece(struct prescription_position *position,
				   struct prescribe_typed *typed, const char *piece,
				   struct status *st)
{
	static const char necrosis[] = "necrosis=", tumour[] = "tumour=", reduce[] = "reduce=",
			  ratio[] = "tn=";
	bool good = false;
	if (strncmp(piece, necrosis, sizeof necrosis - 1) == 0)
		good = typed->necrosis =
		    read_number(&position->necrotic_volume_ml, piece + sizeof necrosis - 1);
	else if (strncmp(piece, tumour, sizeof tumour - 1) == 0)
		good = typed->tumour =
		    read_number(&position->tumour_volume_ml, piece + sizeof tumour - 1);
	else if (strncmp(piece, reduce, sizeof reduce - 1) == 0)
		good = read_number(&position->reduction, piece + sizeof reduce - 1);
	else if (strncmp(piece, ratio, sizeof ratio - 1) == 0)
		good = read_number(&typed->tumour_to_normal, piece + sizeof ratio - 1) &&
		       typed->tumour_to_normal > 0;
	else if (!typed->volume)
		good = typed->volume = read_number(&position->targeted_volume_ml, piece);
	if (good)
		return STATUS_OK;
	return status_fail(st, STATUS_CONFIG,
			   "--position: \"%s\": expected NAME:VOLUME_ML[:necrosis=ML]"
			   "[:tumour=ML][:tn=RATIO][:reduce=FACTOR]",
			   piece);
}

static enum status_code read_position(struct prescribe_run *run, const char *spec,
				      struct status *st)
{
	char text[600], *rest = text;
	if (snprintf(text, sizeof text, "%s", spec) >= (int)sizeof text)
		return status_fail(st, STATUS_CONFIG, "--position: too long");
	const char *name = strsep(&rest, ":");
	if (name[0] == '\0')
		return status_fail(st, STATUS_CONFIG, "--position \"%s\": no name", spec);
	if (prescribe_add_position(run, name, st) != STATUS_OK)
		return st->code;
	int at = run->input.n_positions - 1;
	for (const char *piece; st->code == STATUS_OK && (piece = strsep(&rest, ":")) != NULL;)
		(void)!read_piece(&run->positions[at], &run->typed[at], piece, st);
	return st->code;
}

static enum status_code read_fractions(struct prescribe_run *run, const char *text,
				       struct status *st)
{
	double total = 0;
	for (char *end; text != NULL && *text != '\0'; text = *end == ',' ? end + 1 : end) {
		double percent = strtod(text, &end);
		if (end == text || (*end != '\0' && *end != ',') || !(percent > 0) ||
		    run->fractions == PRESCRIBE_MAX_FRACTIONS)
			return status_fail(st, STATUS_CONFIG,
					   "--fractions: expected 1 to %d percentages above 0, as "
					   "in 10,30,30,30",
					   PRESCRIBE_MAX_FRACTIONS);
		run->fraction_percent[run->fractions++] = percent;
		total += percent;
	}
	if (run->fractions > 0 && fabs(total - 100) > 0.01)
		return status_fail(st, STATUS_CONFIG, "--fractions add up to %g %%, not 100",
				   total);
	return STATUS_OK;
}

/* ---- what a person should know ---- */

static void note_what_matters(struct prescribe_run *run)
{
	const struct prescription_plan *plan = &run->plan;
	for (int i = 0; i < run->input.n_positions; i++) {
		const struct prescription_position_plan *p = &plan->positions[i];
		if (p->predicted_tumour_to_normal < 1)
			prescribe_note(run,
				       "%s: predicted T/N %.2f is below 1: healthy tissue would "
				       "get more than the tumours",
				       run->names[i], p->predicted_tumour_to_normal);
		if (run->simulated && isnan(p->predicted_tumour_gy))
			prescribe_note(run,
				       "%s: no tumour contour in it, or nothing beside it: "
				       "no T/N",
				       run->names[i]);
		if (run->positions[i].reduction < 1)
			prescribe_note(run, "%s: activity reduced to %.3g of Eq. 1 on request",
				       run->names[i], run->positions[i].reduction);
	}
	if (run->simulated)
		prescribe_note(run, "Counts of a SPECT are blurred: T/N of small tumours is "
				    "higher than it looks, and a simulation need not go where the "
				    "treatment goes");
	if (!isnan(plan->lung_gy))
		prescribe_note(run, "Lung limits in use elsewhere: 30 Gy in one treatment, 50 Gy "
				    "in all; planar and MAA shunts tend to be too high");
	else
		prescribe_note(run, "No lung shunt given: none is taken off, and no lung dose is "
				    "predicted");
	if (isnan(run->input.delivered_share))
		prescribe_note(run, "Activities are what has to reach the patient; waste in vial "
				    "and tubing comes on top (--delivered-share)");
}

/* ---- the command ---- */

struct request {
	const char *config_path, *target_dose, *lung_mass, *specific_activity, *delivered_share,
	    *lung_shunt, *fractions, *structures, *simulation;
	struct command_list positions, lungs;
	bool json;
};

/* Exit code of a wrong number, else -1. */
static int read_numbers(struct prescribe_run *run, const struct request *request)
{
	struct prescription_input *input = &run->input;
	const struct {
		double *value;
		const char *option, *text;
		double least, most;
	} rows[] = {
	    {&input->target_dose_gy, "target-dose", request->target_dose, 1, 500},
	    {&input->lung_mass_kg, "lung-mass", request->lung_mass, 0.1, 3},
	    {&input->specific_activity_mbq_per_mg, "specific-activity", request->specific_activity,
	     0.01, 1000},
	    {&input->delivered_share, "delivered-share", request->delivered_share, 0.01, 1},
	    {&input->lung_shunt, "lung-shunt", request->lung_shunt, 0, 0.99},
	};
	*input = (struct prescription_input){
	    .target_dose_gy = run->config->planned_dose_gy,
	    .dose_constant_mj_per_mbq = run->config->dose_constant_mj_per_mbq,
	    .density_g_per_ml = run->config->density_g_per_ml,
	    .specific_activity_mbq_per_mg = (double)NAN,
	    .delivered_share = (double)NAN,
	    .lung_shunt = (double)NAN,
	    .lung_mass_kg = run->config->lung_mass_kg,
	    .positions = run->positions,
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int code = command_number(rows[i].value, "prescribe", rows[i].option, rows[i].text,
					  rows[i].least, rows[i].most);
		if (code >= 0)
			return code;
	}
	if (isnan(input->target_dose_gy))
		return command_usage("prescribe",
				     "no target dose: <planning target-dose-gy=\"...\"/> in the "
				     "configuration, or --target-dose GY");
	return -1;
}

/* A typed T/N as the counts that have it. */
static enum status_code settle_position(struct prescribe_run *run, int index, struct status *st)
{
	struct prescription_position *p = &run->positions[index];
	double ratio = run->typed[index].tumour_to_normal;
	if (isnan(p->targeted_volume_ml))
		return status_fail(st, STATUS_REFUSE,
				   "position \"%s\" has neither a volume nor a contour", p->name);
	if (!(ratio > 0))
		return STATUS_OK;
	if (run->simulated || !(p->tumour_volume_ml > 0))
		return status_fail(st, STATUS_CONFIG,
				   "position \"%s\": tn= needs the tumours' volume, and no "
				   "--simulation",
				   p->name);
	p->tumour_counts = ratio * p->tumour_volume_ml;
	p->normal_counts = p->targeted_volume_ml - p->necrotic_volume_ml - p->tumour_volume_ml;
	return STATUS_OK;
}

static enum status_code make_plan(struct prescribe_run *run, const struct request *request,
				  char **paths, int n_paths, struct status *st)
{
	const struct prescribe_files files = {.paths = paths,
					      .n_paths = n_paths,
					      .structures = request->structures,
					      .simulation = request->simulation,
					      .lungs = request->lungs.items,
					      .n_lungs = request->lungs.count};
	for (int i = 0; i < request->positions.count; i++) {
		if (read_position(run, request->positions.items[i], st) != STATUS_OK)
			return st->code;
	}
	if (read_fractions(run, request->fractions, st) != STATUS_OK)
		return st->code;
	if ((n_paths > 0 || request->structures != NULL) &&
	    prescribe_read_files(run, &files, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < run->input.n_positions; i++) {
		if (settle_position(run, i, st) != STATUS_OK)
			return st->code;
	}
	if (prescription_make(&run->plan, &run->input, st) == STATUS_OK)
		note_what_matters(run);
	return st->code;
}

int command_prescribe(int argc, char **argv)
{
	struct status st = STATUS_INIT;
	struct request request = {0};
	struct config *config = NULL;
	int first = 0;
	const struct command_option options[] = {
	    {'c', "config", COMMAND_TEXT, &request.config_path},
	    {'p', "position", COMMAND_LIST, &request.positions},
	    {0, "structures", COMMAND_TEXT, &request.structures},
	    {0, "simulation", COMMAND_TEXT, &request.simulation},
	    {0, "lungs", COMMAND_LIST, &request.lungs},
	    {0, "lung-shunt", COMMAND_TEXT, &request.lung_shunt},
	    {0, "target-dose", COMMAND_TEXT, &request.target_dose},
	    {0, "lung-mass", COMMAND_TEXT, &request.lung_mass},
	    {0, "specific-activity", COMMAND_TEXT, &request.specific_activity},
	    {0, "delivered-share", COMMAND_TEXT, &request.delivered_share},
	    {0, "fractions", COMMAND_TEXT, &request.fractions},
	    {0, "json", COMMAND_FLAG, &request.json},
	};
	int code = command_options(&first, argc, argv, help, options,
				   (int)(sizeof options / sizeof options[0]));
	if (code >= 0)
		return code;
	bool contours = first < argc || request.structures != NULL;
	if (request.positions.count == 0 && !contours)
		return command_usage("prescribe", "name at least one --position NAME:VOLUME_ML, or "
						  "the files of contours");
	if (request.simulation != NULL && !contours)
		return command_usage("prescribe", "--simulation needs contours to count in: name "
						  "their files");
	if (request.lungs.count > 0 && (request.simulation == NULL || request.lung_shunt != NULL))
		return command_usage("prescribe", "--lungs finds the lung shunt from --simulation; "
						  "it stands instead of --lung-shunt");
	code = command_config(&config, request.config_path, "prescribe", false);
	if (config == NULL)
		return code;
	struct prescribe_run *run = calloc(1, sizeof *run);
	if (run == NULL) {
		status_fail(&st, STATUS_RETRY, "no memory");
		code = -1;
	} else {
		run->config = config;
		run->lung_counts = run->liver_counts = (double)NAN;
		process_catch_signals();
		code = read_numbers(run, &request);
		if (code < 0 &&
		    make_plan(run, &request, argv + first, argc - first, &st) == STATUS_OK)
			(request.json ? prescribe_print_json : prescribe_print_table)(stdout, run);
	}
	if (st.code != STATUS_OK)
		fprintf(stderr, "holmia prescribe: %s\n", st.text);
	free(run);
	config_free(config);
	return code >= 0 ? code : (int)st.code;
}
