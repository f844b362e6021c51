#include "config_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than anybody reads; a hostile record cannot make the list grow without end. */
#define MAX_FAULTS 1000

void config_faults_add(struct config_faults *faults, int line, bool warning, const char *text)
{
	if (!warning)
		faults->errors++;
	if (faults->count >= MAX_FAULTS)
		return;
	if ((faults->count & (faults->count - 1)) == 0) { /* a power of two (or 0): full */
		size_t room = faults->count == 0 ? 1 : 2 * (size_t)faults->count;
		struct config_fault *grown = realloc(faults->faults, room * sizeof *grown);
		if (!grown)
			return; /* the error stays counted: nothing is taken for valid */
		faults->faults = grown;
	}
	struct config_fault *fault = &faults->faults[faults->count++];
	fault->line = line;
	fault->warning = warning;
	snprintf(fault->text, sizeof fault->text, "%s", text);
}

/* Insertion: stable, and the list is short. */
void config_faults_sort(struct config_faults *faults)
{
	for (int i = 1; i < faults->count; i++) {
		struct config_fault fault = faults->faults[i];
		int at = i;
		for (; at > 0 && faults->faults[at - 1].line > fault.line; at--)
			faults->faults[at] = faults->faults[at - 1];
		faults->faults[at] = fault;
	}
}

void config_faults_free(struct config_faults *faults)
{
	free(faults->faults);
	memset(faults, 0, sizeof *faults);
}

void config_fault_format(char *out, unsigned long size, const char *path,
			 const struct config_fault *fault)
{
	const char *kind = fault->warning ? "warning" : "error";
	if (fault->line > 0)
		snprintf(out, size, "%s:%d: %s: %s", path, fault->line, kind, fault->text);
	else
		snprintf(out, size, "%s: %s: %s", path, kind, fault->text);
}
