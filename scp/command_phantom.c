/* command_phantom.c - holmia phantom: a synthetic treatment on disk. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "commands.h"

#include <ctype.h>
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "phantom_command.h"
#include "process.h"

#define PATH_ROOM 3072

static const char usage[] =
    "usage: holmia phantom -o OUT [options]\n"
    "\n"
    "Writes a synthetic 166Ho treatment whose true doses are known: OUT/dicom (MR series and\n"
    "RTSTRUCT), OUT/treatment.xml (the record), OUT/truth.json. OUT/dicom must not exist.\n"
    "\n"
    "  -o, --out OUT             the folder (made if absent)\n"
    "  --seed N                  of the noise; also names the patient (default 1)\n"
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
    "  --gas                     gas above the liver's dome, R2* of 200 to 500 /s below it\n"
    "  --sharp                   hard edges of uptake and tissue instead of smooth ones\n"
    "  --onto DIR                write the microspheres into the real multi-echo series in DIR\n"
    "  --threads N               (number of processors)\n"
    "  -h, --help\n"
    "\n"
    "exit: 0 done, 1 images of --onto refused, 2 usage, 3 interrupted or no room, 4 bug\n";

enum option_id {
	OPTION_SEED = 256,
	OPTION_SNR,
	OPTION_INJECTIONS,
	OPTION_ACTIVITY,
	OPTION_PATIENT,
	OPTION_DATE,
	OPTION_ECHOES,
	OPTION_TE1,
	OPTION_SPACING,
	OPTION_OBLIQUE,
	OPTION_SMALL,
	OPTION_GAS,
	OPTION_SHARP,
	OPTION_ONTO,
	OPTION_THREADS
};

static const struct option long_options[] = {
    {"out", required_argument, NULL, 'o'},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"snr", required_argument, NULL, OPTION_SNR},
    {"injections", required_argument, NULL, OPTION_INJECTIONS},
    {"activity", required_argument, NULL, OPTION_ACTIVITY},
    {"patient-id", required_argument, NULL, OPTION_PATIENT},
    {"date", required_argument, NULL, OPTION_DATE},
    {"echoes", required_argument, NULL, OPTION_ECHOES},
    {"te1", required_argument, NULL, OPTION_TE1},
    {"echo-spacing", required_argument, NULL, OPTION_SPACING},
    {"oblique", required_argument, NULL, OPTION_OBLIQUE},
    {"small", no_argument, NULL, OPTION_SMALL},
    {"gas", no_argument, NULL, OPTION_GAS},
    {"sharp", no_argument, NULL, OPTION_SHARP},
    {"onto", required_argument, NULL, OPTION_ONTO},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* A number of [low, high] that fills the whole text; else a fault that names the option. */
static double parse_number(const char *name, const char *text, double low, double high,
			   struct status *st)
{
	char *end;
	double value = strtod(text, &end);
	if (end == text || *end != '\0' || !(value >= low && value <= high)) {
		status_fail(st, STATUS_CONFIG, "--%s %s: expected a number from %g to %g", name,
			    text, low, high);
		return low;
	}
	return value;
}

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

/* Returns false when only help was asked for. */
static bool parse_options(struct phantom_options *options, int argc, char **argv, struct status *st)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	*options = (struct phantom_options){.date = "20260302",
					    .seed = 1,
					    .snr = 50,
					    .injections = 4,
					    .percent = {10, 30, 30, 30},
					    .te1_ms = 1.33};
	options->threads = processors < 1 ? 1 : processors > 64 ? 64 : (int)processors;

	optind = 1;
	for (int id; (id = getopt_long(argc, argv, "o:h", long_options, NULL)) != -1;) {
		switch (id) {
		case 'o':
			options->out = optarg;
			break;
		case OPTION_SEED:
			options->seed = (uint64_t)parse_number("seed", optarg, 0, 1e15, st);
			break;
		case OPTION_SNR:
			options->snr = parse_number("snr", optarg, 0, INFINITY, st);
			break;
		case OPTION_INJECTIONS:
			parse_injections(options, optarg, st);
			break;
		case OPTION_ACTIVITY:
			options->activity_mbq = parse_number("activity", optarg, 1, 1e5, st);
			break;
		case OPTION_PATIENT:
			parse_patient(options, optarg, st);
			break;
		case OPTION_DATE:
			parse_date(options, optarg, st);
			break;
		case OPTION_ECHOES:
			options->echoes =
			    (int)parse_number("echoes", optarg, 1, PHANTOM_MAX_ECHOES, st);
			break;
		case OPTION_TE1:
			options->te1_ms = parse_number("te1", optarg, 0.01, 100, st);
			break;
		case OPTION_SPACING:
			options->echo_spacing_ms =
			    parse_number("echo-spacing", optarg, 0.01, 100, st);
			break;
		case OPTION_OBLIQUE:
			options->oblique_deg = parse_number("oblique", optarg, -45, 45, st);
			break;
		case OPTION_SMALL:
			options->small = true;
			break;
		case OPTION_GAS:
			options->gas = true;
			break;
		case OPTION_SHARP:
			options->sharp = true;
			break;
		case OPTION_ONTO:
			options->onto = optarg;
			break;
		case OPTION_THREADS:
			options->threads = (int)parse_number("threads", optarg, 1, 64, st);
			break;
		case 'h':
			return false;
		default:
			status_fail(st, STATUS_CONFIG, "see holmia phantom --help");
			break;
		}
	}
	if (optind < argc)
		status_fail(st, STATUS_CONFIG, "unexpected argument %s", argv[optind]);
	if (!options->out || !options->out[0])
		status_fail(st, STATUS_CONFIG, "no folder given: holmia phantom -o OUT");
	if (options->snr <= 0)
		options->snr = INFINITY;
	if (!(options->activity_mbq > 0) && !options->onto)
		options->activity_mbq = 5600;
	if (options->echoes == 0)
		options->echoes = options->small ? 8 : 16;
	if (options->echo_spacing_ms <= 0)
		options->echo_spacing_ms = options->small ? 2 : 1.15;
	if (!options->patient_id[0])
		snprintf(options->patient_id, sizeof options->patient_id, "PHANTOM-%llu",
			 (unsigned long long)options->seed);
	return true;
}

void phantom_progress(const char *what, int done, int of)
{
	int step = of >= 10 ? of / 10 : 1;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rphantom: %s: %d of %d%s", what, done, of,
			done == of ? "\n" : "");
	else if (done % step == 0 || done == of)
		fprintf(stderr, "phantom: %s: %d of %d\n", what, done, of);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	return remove(path);
}

/* Makes the DICOM files in unfinished, then the record and the truth, then the one rename. */
static enum status_code make_treatment(struct phantom_treatment *treatment,
				       const struct phantom_options *options,
				       const char *unfinished, struct status *st)
{
	char path[PATH_ROOM + 32];
	if (options->onto) {
		if (phantom_write_onto(treatment, options, unfinished, st) != STATUS_OK)
			return st->code;
	} else {
		if (phantom_plan_abdomen(treatment, options, st) != STATUS_OK ||
		    phantom_write_abdomen(treatment, unfinished, st) != STATUS_OK)
			return st->code;
	}
	if (phantom_write_structures(treatment, unfinished, st) != STATUS_OK)
		return st->code;
	snprintf(path, sizeof path, "%s/treatment.xml", options->out);
	if (phantom_write_record(treatment, path, st) != STATUS_OK)
		return st->code;
	snprintf(path, sizeof path, "%s/truth.json", options->out);
	if (phantom_write_truth(treatment, path, st) != STATUS_OK)
		return st->code;
	snprintf(path, sizeof path, "%s/dicom", options->out);
	if (rename(unfinished, path) != 0)
		return status_fail(st, STATUS_CONFIG, "cannot name %s: %s", path, strerror(errno));
	return STATUS_OK;
}

static enum status_code run(const struct phantom_options *options, struct status *st)
{
	char unfinished[PATH_ROOM + 32], finished[PATH_ROOM + 32];
	if (strlen(options->out) >= PATH_ROOM)
		return status_fail(st, STATUS_CONFIG, "the name of the folder is too long");
	snprintf(finished, sizeof finished, "%s/dicom", options->out);
	snprintf(unfinished, sizeof unfinished, "%s/.unfinished", options->out);
	if (phantom_make_folder(options->out, st) != STATUS_OK)
		return st->code;
	if (access(finished, F_OK) == 0)
		return status_fail(st, STATUS_CONFIG,
				   "%s exists; remove it or choose another folder", finished);
	(void)nftw(unfinished, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (phantom_make_folder(unfinished, st) != STATUS_OK)
		return st->code;

	struct phantom_treatment *treatment = calloc(1, sizeof *treatment);
	if (!treatment)
		status_fail(st, STATUS_RETRY, "no memory");
	else
		(void)!make_treatment(treatment, options, unfinished, st);
	if (st->code != STATUS_OK)
		(void)nftw(unfinished, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(treatment);
	return st->code;
}

static int exit_code(enum status_code code)
{
	switch (code) {
	case STATUS_OK:
		return 0;
	case STATUS_REFUSE:
		return 1;
	case STATUS_CONFIG:
		return 2;
	case STATUS_RETRY:
		return 3;
	case STATUS_BUG:
		break;
	}
	return 4;
}

int command_phantom(int argc, char **argv)
{
	struct status st = STATUS_INIT;
	struct phantom_options options;
	if (!parse_options(&options, argc, argv, &st)) {
		fputs(usage, stdout);
		return 0;
	}
	if (st.code == STATUS_OK && dataset_library_init(&st) == STATUS_OK) {
		process_catch_signals();
		(void)!run(&options, &st);
	}
	if (st.code != STATUS_OK)
		fprintf(stderr, "holmia phantom: %s\n", st.text);
	else
		fprintf(stderr, "phantom: done: %s/dicom, treatment.xml, truth.json\n",
			options.out);
	return exit_code(st.code);
}
