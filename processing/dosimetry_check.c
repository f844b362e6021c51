/* dosimetry_check.c - what must be right before a dose is computed, and the words for what is worth
 * telling after. */
#include "dosimetry_parts.h"

#include <math.h>
#include <string.h>

/* ---- what must be right before anything is computed ---- */

static enum status_code check_frame(const struct dosimetry_scan *scan,
				    const struct grid *result_grid, struct status *st)
{
	if (!scan->map)
		return status_fail(st, STATUS_BUG, "a scan without its map");
	const char *frame = scan->map->r2star_per_s.grid.frame_of_reference;
	if (scan->to_result || strcmp(frame, result_grid->frame_of_reference) == 0)
		return STATUS_OK;
	(void)status_fail(
	    st, STATUS_REFUSE,
	    "lies in frame of reference %s, the result in %s, and no registration joins them: "
	    "no dose",
	    frame, result_grid->frame_of_reference);
	return scan->after_injection == 0
		   ? status_prefix(st, "baseline")
		   : status_prefix(st, "series after injection %d", scan->after_injection);
}

/* Of the first `known` scans nothing but their place in the order is asked. */
static enum status_code check_scans(const struct dosimetry_input *input, int known,
				    struct status *st)
{
	const bool nothing_new = known == input->n_scans;
	if (input->n_scans < 1 || input->n_scans > DOSIMETRY_MAX_SCANS)
		return status_fail(st, STATUS_REFUSE,
				   "%d series after injection; 1 to %d can be used", input->n_scans,
				   DOSIMETRY_MAX_SCANS);
	if (!nothing_new && check_frame(&input->baseline, input->result_grid, st) != STATUS_OK)
		return st->code;
	const struct dosimetry_scan *before = &input->baseline;
	for (int i = 0; i < input->n_scans; i++) {
		const struct dosimetry_scan *scan = &input->scans[i];
		if (scan->after_injection <= before->after_injection ||
		    scan->time_s < before->time_s)
			return status_fail(
			    st, STATUS_REFUSE,
			    "series out of order: after injection %d comes behind after "
			    "injection %d",
			    scan->after_injection, before->after_injection);
		if (scan->after_injection > input->n_injections)
			return status_fail(
			    st, STATUS_REFUSE,
			    "series after injection %d, but only %d injections are known",
			    scan->after_injection, input->n_injections);
		if (i >= known && check_frame(scan, input->result_grid, st) != STATUS_OK)
			return st->code;
		before = scan;
	}
	return STATUS_OK;
}

static enum status_code check_injections(const struct dosimetry_input *input, struct status *st)
{
	if (input->n_injections > DOSIMETRY_MAX_INJECTIONS)
		return status_fail(st, STATUS_REFUSE, "%d injections; at most %d can be used",
				   input->n_injections, DOSIMETRY_MAX_INJECTIONS);
	int last_needed = input->scans[input->n_scans - 1].after_injection;
	for (int i = 0; i < last_needed; i++) {
		const struct dosimetry_injection *injection = &input->injections[i];
		if (injection->number != i + 1)
			return status_fail(
			    st, STATUS_REFUSE,
			    "injections must be numbered 1, 2, ... in order of time: %d stands "
			    "in place %d",
			    injection->number, i + 1);
		if (i > 0 && injection->start_s < input->injections[i - 1].start_s)
			return status_fail(st, STATUS_REFUSE,
					   "injection %d starts before injection %d", i + 1, i);
		if (!(injection->specific_activity_mbq_per_mg > 0))
			return status_fail(
			    st, STATUS_REFUSE,
			    "injection %d: no specific activity (MBq/mg), so no dose after it",
			    i + 1);
		if (injection->position < 0 || injection->position >= DOSIMETRY_MAX_POSITIONS)
			return status_fail(st, STATUS_REFUSE,
					   "injection %d: more than %d catheter positions", i + 1,
					   DOSIMETRY_MAX_POSITIONS);
		if (injection->net_activity_mbq <= 0)
			return status_fail(st, STATUS_REFUSE, "injection %d: net activity %g MBq",
					   i + 1, injection->net_activity_mbq);
	}
	return STATUS_OK;
}

enum status_code dosimetry_check(const struct dosimetry_input *input, int known,
				 const struct dosimetry_params *params, struct status *st)
{
	if (!(params->relaxivity_per_s_per_mg_per_ml > 0))
		return status_fail(st, STATUS_REFUSE,
				   "no relaxivity for this field strength: no dose");
	if (!(params->dose_constant_mj_per_mbq > 0) || !(params->density_g_per_ml > 0))
		return status_fail(st, STATUS_REFUSE, "dose constant and density must be above 0");
	if (params->underdose_levels < 0 || params->underdose_levels > DOSIMETRY_UNDERDOSE_LEVELS)
		return status_fail(st, STATUS_REFUSE, "%d under-dose levels; at most %d",
				   params->underdose_levels, DOSIMETRY_UNDERDOSE_LEVELS);
	if (params->dose_levels < 0 || params->dose_levels > VOI_DOSE_LEVELS)
		return status_fail(st, STATUS_REFUSE, "%d dose levels; at most %d",
				   params->dose_levels, VOI_DOSE_LEVELS);
	if (grid_check(input->result_grid, st) != STATUS_OK ||
	    check_scans(input, known, st) != STATUS_OK)
		return st->code;
	return check_injections(input, st);
}

enum status_code dosimetry_check_known(const struct dosimetry_result *result,
				       const struct dosimetry_input *input, struct status *st)
{
	bool same = result->n_time_points >= 0 && result->n_time_points <= input->n_scans;
	for (int i = 0; same && i < result->n_time_points; i++)
		same = result->time_points[i].after_injection == input->scans[i].after_injection;
	if (!same ||
	    (result->n_time_points > 0 && result->sums.voxels != grid_voxels(input->result_grid)))
		return status_fail(st, STATUS_BUG, "a result of other scans cannot go on");
	return STATUS_OK;
}

/* ---- what is worth telling after ---- */

const char *dosimetry_flag_text(enum dosimetry_flag flag)
{
	switch (flag) {
	case DOSIMETRY_SATURATED_VOXELS:
		return "saturated voxels: their dose, and the recovery, are lower bounds";
	case DOSIMETRY_S0_KNOWN_OFF:
		return "voxels with fewer than three usable echoes have no dose: S0 of the "
		       "baseline cannot be "
		       "used";
	case DOSIMETRY_ORDER_UNCLEAR:
		return "order of injection and scan unclear: the mass found differs from the mass "
		       "injected by "
		       "more than 50 %";
	case DOSIMETRY_RESIDUAL_PENDING:
		return "residual pending: recovery is against the prepared activity";
	case DOSIMETRY_ACTIVITY_UNKNOWN:
		return "net activity unknown: no recovery and no trend; specific activities are "
		       "joined "
		       "unweighted";
	case DOSIMETRY_CONTENT_UNSCALED:
		return "relaxivity not scaled for holmium content: content of batch or calibration "
		       "unknown";
	case DOSIMETRY_TR_FLIP_DIFFER:
		return "repetition time or flip angle differ between baseline and series after "
		       "injection";
	case DOSIMETRY_NO_LIVER:
		return "no liver VOI: no recovery, no healthy-liver dose, no T/N against the whole "
		       "liver";
	case DOSIMETRY_NO_TUMOUR:
		return "no tumour VOI";
	case DOSIMETRY_TUMOURS_OVERLAP:
		return "tumour VOIs overlap by up to 5 % of the smaller one";
	case DOSIMETRY_RECOVERY_JUMP:
		return "recovery changed by more than 10 percentage points since the series before";
	case DOSIMETRY_HOT_OUTSIDE:
		return "voxels outside the liver with fewer than three usable echoes are hotter "
		       "than all of it and set the maximum: an edge that moved, noise, or "
		       "microspheres elsewhere";
	case DOSIMETRY_TR_FLIP_UNKNOWN:
		return "repetition time or flip angle not given: taken as equal in baseline and "
		       "series after "
		       "injection";
	case DOSIMETRY_REGISTRATION_UNCERTAIN:
		return "alignment of the series uncertain: what it left is above the limit or not "
		       "known";
	case DOSIMETRY_RECOVERY_OUTSIDE:
		return "recovery outside the configured band";
	case DOSIMETRY_TN_BELOW_1:
		return "a tumour has a lower mean dose than its healthy liver: check contours and "
		       "alignment";
	case DOSIMETRY_TUMOUR_LIMITED:
		return "a tumour's dose is limited: part of it has no value or a doubtful one";
	case DOSIMETRY_TUMOUR_NOT_MEASURABLE:
		return "a tumour cannot be measured: no dose is given for it";
	case DOSIMETRY_OSCILLATION:
		return "in- and out-of-phase oscillation of the signal (fat): R2* is less certain "
		       "there";
	case DOSIMETRY_POSITION_WITHOUT_VOI:
		return "a catheter position has no region of its own: its share of the dose is "
		       "not told apart";
	case DOSIMETRY_MASS_NOT_KEPT:
		return "carrying the microspheres to the result grid changed their mass by more "
		       "than 0.5 %";
	}
	return "unknown flag";
}

const char *voi_measurable_name(enum voi_measurable measurable)
{
	switch (measurable) {
	case VOI_MEASURABLE:
		return "measurable";
	case VOI_LIMITED:
		return "limited";
	case VOI_NOT_MEASURABLE:
		break;
	}
	return "not measurable";
}

const char *voi_reason_text(enum voi_reason reason)
{
	switch (reason) {
	case VOI_REASON_ARTEFACT:
		return "susceptibility artefact before any injection";
	case VOI_REASON_NO_SIGNAL:
		return "no signal before any injection";
	case VOI_REASON_OUTSIDE:
		return "outside the scanned slices";
	case VOI_REASON_FIT_SATURATED:
		return "signal gone at the first echo: a lower bound (of the fit, not of the "
		       "uptake)";
	case VOI_REASON_FEW_ECHOES:
		return "fewer than three usable echoes";
	case VOI_REASON_OSCILLATION:
		return "in- and out-of-phase oscillation (fat)";
	case VOI_REASON_REGISTRATION:
		return "alignment uncertain";
	}
	return "unknown reason";
}
