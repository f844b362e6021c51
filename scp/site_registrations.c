#include "site_registrations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_registration(const struct catalogue_instance *instance)
{
	return strcmp(instance->info.sop_class_uid, SPATIAL_REGISTRATION_STORAGE) == 0;
}

static void add_fault(struct site_registrations *registrations, const char *sop_instance_uid,
		      const char *words)
{
	size_t length = strlen(registrations->faults);
	snprintf(registrations->faults + length, sizeof registrations->faults - length,
		 "HO119: Spatial Registration %s is not used: %.200s\n", sop_instance_uid, words);
}

static enum status_code add(struct site_registrations *registrations,
			    const struct catalogue_instance *instance, struct status *st)
{
	struct status own = STATUS_INIT;
	struct dataset *ds = NULL;
	struct spatial_registration *object = &registrations->objects[registrations->count];
	if (catalogue_read(&ds, &instance->where, &own) == STATUS_OK &&
	    spatial_registration_read(object, ds, &own) == STATUS_OK)
		registrations->count++;
	dataset_free(ds);
	if (own.code == STATUS_REFUSE)
		add_fault(registrations, instance->info.sop_instance_uid, own.text);
	else if (own.code != STATUS_OK)
		return status_fail(st, own.code, "%s", own.text);
	return STATUS_OK;
}

enum status_code site_registrations_load(struct site_registrations *registrations,
					 const struct catalogue_patient *patient, struct status *st)
{
	size_t possible = 0;
	*registrations = (struct site_registrations){.count = 0};
	for (int s = 0; s < patient->n_series; s++)
		for (int i = 0; i < patient->series[s].n_instances; i++)
			possible += is_registration(&patient->series[s].instances[i]);
	if (possible == 0)
		return STATUS_OK;
	registrations->objects = calloc(possible, sizeof *registrations->objects);
	if (!registrations->objects)
		return status_fail(st, STATUS_RETRY, "no memory for %zu Spatial Registrations",
				   possible);
	for (int s = 0; s < patient->n_series; s++) {
		const struct catalogue_series *series = &patient->series[s];
		for (int i = 0; i < series->n_instances; i++) {
			if (is_registration(&series->instances[i]) &&
			    add(registrations, &series->instances[i], st) != STATUS_OK)
				return st->code;
		}
	}
	return STATUS_OK;
}

void site_registrations_free(struct site_registrations *registrations)
{
	free(registrations->objects);
	registrations->objects = NULL;
	registrations->count = 0;
}

const struct catalogue_instance *
site_registrations_instance(const struct catalogue_patient *patient, const char *sop_instance_uid)
{
	for (int s = 0; s < patient->n_series; s++) {
		const struct catalogue_series *series = &patient->series[s];
		for (int i = 0; i < series->n_instances; i++) {
			if (strcmp(series->instances[i].info.sop_instance_uid, sop_instance_uid) ==
			    0)
				return &series->instances[i];
		}
	}
	return NULL;
}
