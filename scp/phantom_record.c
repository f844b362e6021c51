/* phantom_record.c - the synthetic treatment's record (XML).
 *
 * No text from outside but the patient identifier, whose characters the options have limited to
 * those that need no escape. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "phantom_command.h"

static void put_injection(FILE *file, const struct phantom_treatment *treatment, int j)
{
	const struct phantom_options *options = &treatment->options;
	int share = treatment->share_of[j], first = j - share;
	int position = treatment->course.position[j];
	char start[32], calibrated[32], more[64] = "";
	phantom_iso_time(start, options->date, treatment->injection_min[j]);
	phantom_iso_time(calibrated, options->date, treatment->injection_min[first]);
	if (options->n_positions > 1)
		snprintf(more, sizeof more, " vial=\"vial %d\"%s", position + 1,
			 options->positions[position].unimaged ? " imaged=\"no\"" : "");
	fprintf(file,
		"    <injection number=\"%d\" planned-percent=\"%.6g\" start=\"%s\" "
		"net-activity-mbq=\"%.6f\"\n"
		"               specific-activity-mbq-per-mg=\"%.6f\" "
		"specific-activity-at=\"%s\"%s/>\n",
		share + 1, options->percent[share], start, treatment->course.activity_mbq[j],
		treatment->course.specific_activity_mbq_per_mg[first], calibrated, more);
}

static void put_position(FILE *file, const struct phantom_treatment *treatment, int index)
{
	const struct phantom_options *options = &treatment->options;
	const struct phantom_position *position = &options->positions[index];
	fprintf(file, "  <position id=\"%s\" description=\"%s\" planned-activity-mbq=\"%.3f\"",
		position->id, position->description,
		options->activity_mbq * position->percent / 100);
	if (position->part)
		fprintf(file, " part=\"%s\"", position->part);
	fputs(">\n", file);
	for (int j = 0; j < treatment->course.injections; j++)
		if (treatment->course.position[j] == index)
			put_injection(file, treatment, j);
	fputs("  </position>\n", file);
}

static void put_vois(FILE *file, const struct phantom_treatment *treatment)
{
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	int count = phantom_vois(vois, &treatment->model);
	for (int i = 0; i < count; i++) {
		bool tumour = vois[i].role == PHANTOM_TUMOUR;
		const char *group = tumour ? phantom_group_of(treatment, vois[i].tumour) : NULL;
		fprintf(file, "  <voi name=\"%s\" role=\"%s\"", vois[i].name,
			phantom_role_name(vois[i].role));
		if (vois[i].part >= 0)
			fprintf(file, " part=\"%s\"", vois[vois[i].part].name);
		if (group)
			fprintf(file, " group=\"%s\"", group);
		fputs("/>\n", file);
	}
}

enum status_code phantom_write_record(const struct phantom_treatment *treatment, const char *path,
				      struct status *st)
{
	FILE *file = fopen(path, "w");
	if (!file)
		return status_fail(st, STATUS_CONFIG, "cannot write %s: %s", path, strerror(errno));
	fprintf(file,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<!-- A synthetic treatment made by holmia phantom; no person. -->\n"
		"<treatment xmlns=\"urn:holmia:treatment:1\">\n"
		"  <patient id=\"%s\" issuer=\"HOLMIA\"/>\n",
		treatment->options.patient_id);
	for (int i = 0; i < treatment->n_sessions; i++)
		fprintf(file, "  <study uid=\"%s\"/>\n", treatment->sessions[i].study_uid);
	if (treatment->options.emission)
		fprintf(file, "  <study uid=\"%s\"/>\n", treatment->emission.study_uid);
	fputs("  <product name=\"QuiremSpheres\" holmium-content-percent=\"19.5\"/>\n", file);
	for (int i = 0; i < treatment->options.n_positions; i++)
		put_position(file, treatment, i);
	put_vois(file, treatment);
	fputs("</treatment>\n", file);
	return phantom_close_file(file, path, st);
}
