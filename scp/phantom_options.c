/* phantom_options.c - the command line of `holmia phantom`. */
#include <ctype.h>
#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "phantom_command.h"

static const char usage[] =
    "usage: holmia phantom -o OUT [options]\n"
    "\n"
    "Writes a synthetic 166Ho treatment whose true doses are known: OUT/dicom (MR series and\n"
    "RTSTRUCT), OUT/treatment.xml (the record), OUT/truth.json. OUT/dicom must not exist.\n"
    "\n"
    "  -o, --out OUT             the folder (made if absent)\n"
    "  --seed N                  of noise and motion; also names the patient (default 1)\n"
    "  --snr N                   S0 of healthy liver / noise SD; 0 or inf: no noise (50)\n"
    "  --injections P,P,...      percent of the planned activity per injection (10,30,30,30)\n"
    "  --activity MBQ            planned activity (5600; with --onto what gives 40 to 60 Gy)\n"
    "  --patient-id ID           letters, digits, . _ - (PHANTOM-seed)\n"
    "  --date YYYYMMDD           day of the treatment (20260302)\n"
    "  --echoes N                echoes of the multi-echo series (16; with --small 8)\n"
    "  --te1 MS                  first echo time (1.33)\n"
    "  --echo-spacing MS         (1.15; with --small 2)\n"
    "  --oblique DEG             slices turned by DEG about x and DEG/3 about y (0)\n"
    "  --small                   96x96x24 voxels of 3.75x3.75x7 mm, for quick tests\n"
    "  --voxel MM,MM             in plane and between slices (1.5,5), the same field of view\n"
    "  --onto DIR                write the microspheres into the real multi-echo series in DIR;\n"
    "                            none of the options below then\n"
    "\n"
    "Motion; truth.json holds every transform:\n"
    "  --motion MM,DEG           baseline against anatomy, and each series after an injection\n"
    "                            against the baseline and against the one before it\n"
    "  --leave-scanner N         after injection N: another study and frame of reference, 15 mm\n"
    "                            and 8 degrees from the baseline\n"
    "  --breathing MM            up to MM up and down that no rigid transform undoes\n"
    "\n"
    "Tissue:\n"
    "  --gas                     gas above the liver's dome, R2* of 200 to 500 /s below it\n"
    "                            (a fifth tumour in it; every series in another breath-hold, 5 to\n"
    "                            10 mm up or down, the gas 2 mm more or less)\n"
    "  --sharp                   hard edges of uptake and tissue instead of smooth ones\n"
    "  --hot                     9000 MBq; tumours of 400, 400 (with a hotter core) and 260 Gy\n"
    "  --fat PERCENT             of the liver's signal outside tumours, in and out of phase (0)\n"
    "  --necrosis                a core of the largest tumour takes up nothing; a VOI of its own\n"
    "  --untreated               nor does a dorsal cap of the largest tumour\n"
    "\n"
    "Course:\n"
    "  --positions ID:P,...      catheter positions in their order, with their percent of the\n"
    "                            activity: PHA (whole liver), RHA (right), LHA (left). Each gets\n"
    "                            all --injections from a vial of its own (PHA:100)\n"
    "  --unimaged ID             this position is injected outside the scanner\n"
    "  --group                   the record groups Tumour 1 and Tumour 2\n"
    "\n"
    "Other:\n"
    "  --emission pet|spect      a scan two days later, 4.8 mm voxels, Poisson noise: PET images "
    "in\n"
    "                            Bq/mL (quantitative SPECT), or an NM image in counts\n"
    "  --psf MM                  width at half maximum of its point spread (0)\n"
    "  --vials                   in place of a treatment a scan of ten vials of 0 to 8 mg/mL for\n"
    "                            holmia calibrate; OUT/vials.csv and OUT/vials.json hold the "
    "truth\n"
    "  --threads N               (number of processors)\n"
    "  -h, --help\n"
    "\n"
    "exit: 0 done, 1 images of --onto or a combination of options refused, 2 usage,\n"
    "3 interrupted or no room, 4 bug\n";

const char *phantom_usage(void)
{
	return usage;
}

static const struct phantom_position known_positions[] = {
    {"PHA", "proper hepatic artery", NULL, PHANTOM_FEEDS_ALL, 100, false},
    {"RHA", "right hepatic artery", "Right hemiliver", PHANTOM_FEEDS_RIGHT, 100, false},
    {"LHA", "left hepatic artery", "Left hemiliver", PHANTOM_FEEDS_LEFT, 100, false},
};

static void parse_injections(struct phantom_options *options, const char *text, struct status *st)
{
	double total = 0;
	options->injections = 0;
	while (*text) {
		char *end;
		double percent = strtod(text, &end);
		bool separated = *end == '\0' || (*end == ',' && end[1] != '\0');
		if (end == text || !separated || !(percent > 0 && percent <= 100) ||
		    options->injections == PHANTOM_MAX_INJECTIONS) {
			status_fail(st, STATUS_CONFIG,
				    "--injections: expected 1 to %d percentages above 0, as in "
				    "10,30,30,30",
				    PHANTOM_MAX_INJECTIONS);
			return;
		}
		options->percent[options->injections++] = percent;
		total += percent;
		text = *end ? end + 1 : end;
	}
	if (options->injections == 0 || total > 100 + 1e-9)
		status_fail(st, STATUS_CONFIG,
			    "--injections: the shares must add up to 100 or less");
}

static void parse_patient(struct phantom_options *options, const char *text, struct status *st)
{
	size_t length = strlen(text);
	bool good = length > 0 && length < sizeof options->patient_id;
	for (size_t i = 0; i < length; i++)
		good = good && (isalnum((unsigned char)text[i]) || strchr("._-", text[i]));
	if (good)
		memcpy(options->patient_id, text, length + 1);
	else
		status_fail(st, STATUS_CONFIG,
			    "--patient-id: expected 1 to 64 letters, digits, dots, dashes or "
			    "underscores");
}

static void parse_date(struct phantom_options *options, const char *text, struct status *st)
{
	int year = 0, month = 0, day = 0, used = 0;
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool good = strlen(text) == 8 &&
		    sscanf(text, "%4d%2d%2d%n", &year, &month, &day, &used) == 3 && used == 8 &&
		    year >= 1900 && month >= 1 && month <= 12;
	if (good) {
		bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
		good = day >= 1 && day <= days[month - 1] + (leap && month == 2 ? 1 : 0);
	}
	if (good)
		memcpy(options->date, text, 9);
	else
		status_fail(st, STATUS_CONFIG, "--date %s: expected a day as YYYYMMDD", text);
}

/* The whole text is ID:PERCENT, separated by commas. */
static void parse_positions(struct phantom_options *options, const char *text, struct status *st)
{
	double total = 0;
	options->n_positions = 0;
	for (const char *at = text; *at != '\0';) {
		struct phantom_position *position = NULL;
		char id[8] = "";
		double percent = 0;
		int used = 0;
		bool good = options->n_positions < PHANTOM_MAX_POSITIONS &&
			    sscanf(at, "%7[A-Z]:%lf%n", id, &percent, &used) == 2 && percent > 0;
		for (int i = 0; i < options->n_positions; i++)
			good = good && strcmp(id, options->positions[i].id) != 0;
		for (size_t i = 0; good && i < sizeof known_positions / sizeof known_positions[0];
		     i++)
			if (strcmp(id, known_positions[i].id) == 0) {
				position = &options->positions[options->n_positions++];
				*position = known_positions[i];
			}
		at += used;
		if (!position || (*at != '\0' && (*at != ',' || at[1] == '\0'))) {
			status_fail(st, STATUS_CONFIG,
				    "--positions %s: expected PHA, RHA and LHA, each at most once, "
				    "with their percent, as in RHA:60,LHA:40",
				    text);
			return;
		}
		position->percent = percent;
		total += percent;
		at += *at == ',';
	}
	if (options->n_positions == 0 || total > 100 + 1e-9)
		status_fail(st, STATUS_CONFIG,
			    "--positions: the percentages must add up to 100 or less");
}

static void parse_unimaged(struct phantom_options *options, const char *text, struct status *st)
{
	(void)st;
	options->unimaged = text;
}

static void parse_emission(struct phantom_options *options, const char *text, struct status *st)
{
	options->emission = text;
	if (strcmp(text, "pet") != 0 && strcmp(text, "spect") != 0)
		status_fail(st, STATUS_CONFIG, "--emission %s: expected pet or spect", text);
}

static void parse_onto(struct phantom_options *options, const char *text, struct status *st)
{
	(void)st;
	options->onto = text;
}

static void parse_out(struct phantom_options *options, const char *text, struct status *st)
{
	(void)st;
	options->out = text;
}

/* ---- the tables ---- */

/* One or two numbers of [low, high], separated by a comma, at offsets into the options. */
struct number_option {
	const char *name;
	size_t offset;
	double low, high;
	int count;
};
static const struct number_option numbers[] = {
    {"seed", offsetof(struct phantom_options, seed), 0, 1e15, 1},
    {"snr", offsetof(struct phantom_options, snr), 0, (double)INFINITY, 1},
    {"activity", offsetof(struct phantom_options, activity_mbq), 1, 1e5, 1},
    {"echoes", offsetof(struct phantom_options, echoes), 1, PHANTOM_MAX_ECHOES, 1},
    {"te1", offsetof(struct phantom_options, te1_ms), 0.01, 100, 1},
    {"echo-spacing", offsetof(struct phantom_options, echo_spacing_ms), 0.01, 100, 1},
    {"oblique", offsetof(struct phantom_options, oblique_deg), -45, 45, 1},
    {"voxel", offsetof(struct phantom_options, voxel_mm), 0.5, 20, 2},
    {"motion", offsetof(struct phantom_options, motion), 0, 30, 2},
    {"leave-scanner", offsetof(struct phantom_options, leaves_after), 1, PHANTOM_MAX_INJECTIONS, 1},
    {"breathing", offsetof(struct phantom_options, breathing_mm), 0, 10, 1},
    {"fat", offsetof(struct phantom_options, fat_percent), 0, 50, 1},
    {"psf", offsetof(struct phantom_options, psf_mm), 0, 30, 1},
    {"threads", offsetof(struct phantom_options, threads), 1, 64, 1},
};
#define N_NUMBERS (int)(sizeof numbers / sizeof numbers[0])

struct flag_option {
	const char *name;
	size_t offset;
};
static const struct flag_option flags[] = {
    {"small", offsetof(struct phantom_options, small)},
    {"gas", offsetof(struct phantom_options, gas)},
    {"sharp", offsetof(struct phantom_options, sharp)},
    {"hot", offsetof(struct phantom_options, hot)},
    {"necrosis", offsetof(struct phantom_options, necrosis)},
    {"untreated", offsetof(struct phantom_options, untreated)},
    {"vials", offsetof(struct phantom_options, vials)},
    {"group", offsetof(struct phantom_options, group)},
};
#define N_FLAGS (int)(sizeof flags / sizeof flags[0])

struct text_option {
	const char *name;
	void (*parse)(struct phantom_options *options, const char *text, struct status *st);
};
static const struct text_option texts[] = {
    {"out", parse_out},
    {"onto", parse_onto},
    {"injections", parse_injections},
    {"patient-id", parse_patient},
    {"date", parse_date},
    {"positions", parse_positions},
    {"unimaged", parse_unimaged},
    {"emission", parse_emission},
};
#define N_TEXTS (int)(sizeof texts / sizeof texts[0])

static void parse_numbers(struct phantom_options *options, const struct number_option *option,
			  const char *text, struct status *st)
{
	double *values = (double *)(void *)((char *)options + option->offset);
	const char *at = text;
	bool good = true;
	for (int i = 0; i < option->count && good; i++) {
		char *end;
		values[i] = strtod(at, &end);
		good = end != at && *end == (i + 1 < option->count ? ',' : '\0') &&
		       values[i] >= option->low && values[i] <= option->high;
		at = end + 1;
	}
	if (!good)
		status_fail(st, STATUS_CONFIG, "--%s %s: expected %s from %g to %g", option->name,
			    text, option->count == 1 ? "a number" : "two numbers, as in 3,5,",
			    option->low, option->high);
}

/* getopt's view of the tables: the value of an entry is its place in them, from 256 on. */
static void list_options(struct option *list)
{
	int at = 0;
	for (int i = 0; i < N_NUMBERS; i++, at++)
		list[at] = (struct option){numbers[i].name, required_argument, NULL, 256 + at};
	for (int i = 0; i < N_FLAGS; i++, at++)
		list[at] = (struct option){flags[i].name, no_argument, NULL, 256 + at};
	for (int i = 0; i < N_TEXTS; i++, at++)
		list[at] = (struct option){texts[i].name, required_argument, NULL, 256 + at};
	list[at++] = (struct option){"help", no_argument, NULL, 'h'};
	list[at] = (struct option){NULL, 0, NULL, 0};
}

static void take_option(struct phantom_options *options, int at, const char *text,
			struct status *st)
{
	if (at < N_NUMBERS) {
		parse_numbers(options, &numbers[at], text, st);
	} else if (at < N_NUMBERS + N_FLAGS) {
		bool *flag = (bool *)(void *)((char *)options + flags[at - N_NUMBERS].offset);
		*flag = true;
	} else {
		texts[at - N_NUMBERS - N_FLAGS].parse(options, text, st);
	}
}

static void fill_in(struct phantom_options *options)
{
	if (options->snr <= 0)
		options->snr = (double)INFINITY;
	if (!(options->activity_mbq > 0) && !options->onto)
		options->activity_mbq = options->hot ? 9000 : 5600;
	if (!(options->echoes > 0))
		options->echoes = options->small ? 8 : 16;
	if (!(options->echo_spacing_ms > 0))
		options->echo_spacing_ms = options->small ? 2 : 1.15;
	if (!(options->voxel_mm[0] > 0)) {
		options->voxel_mm[0] = options->small ? 3.75 : 1.5;
		options->voxel_mm[1] = options->small ? 7 : 5;
	}
	if (!options->patient_id[0])
		snprintf(options->patient_id, sizeof options->patient_id, "PHANTOM-%.0f",
			 options->seed);
}

static void check_combination(struct phantom_options *options, struct status *st)
{
	bool uneven = options->hot || options->necrosis || options->untreated;
	bool moved = options->motion[0] > 0 || options->motion[1] > 0 ||
		     options->leaves_after > 0 || options->breathing_mm > 0;
	int imaged = 0;
	if (options->onto &&
	    (uneven || moved || options->gas || options->sharp || options->fat_percent > 0 ||
	     options->n_positions > 0 || options->emission))
		status_fail(st, STATUS_CONFIG,
			    "--onto takes the images as they are: no motion, tissue or positions");
	if (options->sharp && uneven)
		status_fail(st, STATUS_CONFIG,
			    "--sharp needs tumours that are even inside: not with --hot, "
			    "--necrosis or --untreated");
	if (options->n_positions == 0)
		options->positions[options->n_positions++] = known_positions[0];
	bool known = !options->unimaged;
	for (int i = 0; i < options->n_positions; i++) {
		struct phantom_position *position = &options->positions[i];
		position->unimaged =
		    options->unimaged && strcmp(position->id, options->unimaged) == 0;
		known = known || position->unimaged;
		imaged += !position->unimaged;
	}
	if (!known || imaged == 0)
		status_fail(st, STATUS_CONFIG, "--unimaged: expected one of several --positions");
	if (options->n_positions * options->injections > PHANTOM_MAX_INJECTIONS)
		status_fail(st, STATUS_CONFIG, "more than %d injections in all",
			    PHANTOM_MAX_INJECTIONS);
}

bool phantom_parse_options(struct phantom_options *options, int argc, char **argv,
			   struct status *st)
{
	struct option list[N_NUMBERS + N_FLAGS + N_TEXTS + 2];
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	*options = (struct phantom_options){.date = "20260302",
					    .seed = 1,
					    .snr = 50,
					    .injections = 4,
					    .percent = {10, 30, 30, 30},
					    .te1_ms = 1.33};
	options->threads = processors < 1 ? 1 : processors > 64 ? 64 : (double)processors;

	list_options(list);
	optind = 1;
	for (int id; (id = getopt_long(argc, argv, "o:h", list, NULL)) != -1;) {
		if (id == 'h')
			return false;
		if (id == 'o')
			parse_out(options, optarg, st);
		else if (id >= 256)
			take_option(options, id - 256, optarg, st);
		else
			status_fail(st, STATUS_CONFIG, "see holmia phantom --help");
	}
	if (optind < argc)
		status_fail(st, STATUS_CONFIG, "unexpected argument %s", argv[optind]);
	if (!options->out || !options->out[0])
		status_fail(st, STATUS_CONFIG, "no folder given: holmia phantom -o OUT");
	check_combination(options, st);
	fill_in(options);
	return true;
}
