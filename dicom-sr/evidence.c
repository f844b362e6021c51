/* evidence.c - see evidence.h */
#include "evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "tags.h"
#include "uid.h"
#include "writer.h"

static void write_sop_common(struct writer *w, const struct evidence *evidence,
			     const char *sop_class_uid, const char *purpose)
{
	const struct result_identity *identity = evidence->identity;
	char name[80], uid[65];

	snprintf(name, sizeof name, "%.60s-instance", purpose);
	uid_derive(uid, identity->job_hash, name);
	if (!uid[0])
		w->code = status_fail(w->st, STATUS_RETRY, "out of memory while deriving a UID");

	writer_string(w, AT(TAG_SpecificCharacterSet), "ISO_IR 192");
	writer_date_time(w, TAG_InstanceCreationDate, TAG_InstanceCreationTime,
			 identity->created_datetime);
	writer_string(w, AT(TAG_SOPClassUID), sop_class_uid);
	writer_string(w, AT(TAG_SOPInstanceUID), uid);
	writer_string_if_any(w, AT(TAG_TimezoneOffsetFromUTC), identity->utc_offset);
}

static void write_patient(struct writer *w, const struct dataset *header)
{
	writer_copy_or_empty(w, header, TAG_PatientName);
	writer_copy(w, header, TAG_PatientID);
	writer_copy(w, header, TAG_IssuerOfPatientID);
	writer_copy(w, header, TAG_IssuerOfPatientIDQualifiersSequence);
	writer_copy_or_empty(w, header, TAG_PatientBirthDate);
	writer_copy_or_empty(w, header, TAG_PatientSex);
	writer_copy(w, header, TAG_OtherPatientIDsSequence);
	writer_copy(w, header, TAG_PatientIdentityRemoved);
	writer_copy(w, header, TAG_DeidentificationMethod);
	writer_copy(w, header, TAG_DeidentificationMethodCodeSequence);
	writer_copy(w, header, TAG_PatientAge);
	writer_copy(w, header, TAG_PatientSize);
	writer_copy(w, header, TAG_PatientWeight);
}

static void write_study(struct writer *w, const struct dataset *header)
{
	writer_copy(w, header, TAG_StudyInstanceUID);
	writer_copy_or_empty(w, header, TAG_StudyDate);
	writer_copy_or_empty(w, header, TAG_StudyTime);
	writer_copy_or_empty(w, header, TAG_ReferringPhysicianName);
	writer_copy_or_empty(w, header, TAG_StudyID);
	writer_copy_or_empty(w, header, TAG_AccessionNumber);
	writer_copy(w, header, TAG_IssuerOfAccessionNumberSequence);
	writer_copy(w, header, TAG_StudyDescription);
	writer_copy(w, header, TAG_ProcedureCodeSequence);
}

static void write_series(struct writer *w, const struct evidence *evidence, const char *purpose,
			 const char *modality, int number, const char *description)
{
	char name[80], uid[65];

	snprintf(name, sizeof name, "%.60s-series", purpose);
	uid_derive(uid, evidence->identity->job_hash, name);
	if (!uid[0])
		w->code = status_fail(w->st, STATUS_RETRY, "out of memory while deriving a UID");
	writer_string(w, AT(TAG_Modality), modality);
	writer_string(w, AT(TAG_SeriesInstanceUID), uid);
	writer_int(w, AT(TAG_SeriesNumber), number);
	writer_date_time(w, TAG_SeriesDate, TAG_SeriesTime, evidence->identity->created_datetime);
	writer_string_cut(w, AT(TAG_SeriesDescription), description, 64);
}

/* One attribute of the scanner, from the header into its item of Contributing Equipment. */
static void write_scanner_text(struct writer *w, const struct dataset *header, uint32_t tag)
{
	char text[200];

	if (w->code != STATUS_OK)
		return;
	w->code = dataset_get_string(header, AT(tag), text, sizeof text, w->st);
	writer_string_if_any(w, AT(TAG_ContributingEquipmentSequence, 0, tag), text);
}

static void write_equipment(struct writer *w, const struct evidence *evidence)
{
	const struct result_identity *identity = evidence->identity;
	const struct dataset *header = evidence->study_header;
	char modality[20] = "";

	writer_string(w, AT(TAG_Manufacturer), EVIDENCE_MANUFACTURER);
	writer_string(w, AT(TAG_ManufacturerModelName), EVIDENCE_MODEL);
	writer_string_cut(w, AT(TAG_StationName),
			  identity->station_name[0] ? identity->station_name : identity->ae_title,
			  16);
	writer_string_cut(w, AT(TAG_SoftwareVersions), identity->software_version, 64);

	/* The scanner contributed; without a maker's name (type 1 there) it cannot be said. */
	if (w->code == STATUS_OK)
		w->code =
		    dataset_get_string(header, AT(TAG_Modality), modality, sizeof modality, w->st);
	if (strcmp(modality, "MR") != 0 ||
	    dataset_presence(header, AT(TAG_Manufacturer)) != DATASET_HAS_VALUE)
		return;
	writer_code(w, AT(TAG_ContributingEquipmentSequence, 0, TAG_PurposeOfReferenceCodeSequence),
		    0, code_get(CODE_ACQUISITION_EQUIPMENT));
	write_scanner_text(w, header, TAG_Manufacturer);
	write_scanner_text(w, header, TAG_InstitutionName);
	write_scanner_text(w, header, TAG_StationName);
	write_scanner_text(w, header, TAG_ManufacturerModelName);
	write_scanner_text(w, header, TAG_DeviceSerialNumber);
	write_scanner_text(w, header, TAG_SoftwareVersions);
}

static enum status_code check(const struct evidence *evidence, struct status *st)
{
	const struct result_identity *identity = evidence->identity;

	if (!evidence->study_header)
		return status_fail(st, STATUS_BUG,
				   "a result needs an instance of the study it belongs to");
	if (dataset_presence(evidence->study_header, AT(TAG_StudyInstanceUID)) != DATASET_HAS_VALUE)
		return status_fail(st, STATUS_REFUSE,
				   "the study of the injections has no Study Instance UID");
	if (dataset_presence(evidence->study_header, AT(TAG_PatientID)) != DATASET_HAS_VALUE)
		return status_fail(
		    st, STATUS_REFUSE,
		    "the study of the injections has no Patient ID: a result without one "
		    "could be filed under nobody");
	if (!identity->intended_use[0])
		return status_fail(st, STATUS_CONFIG, "the intended-use line is empty");
	if (strlen(identity->created_datetime) < 14 ||
	    strspn(identity->created_datetime, "0123456789") < 14)
		return status_fail(st, STATUS_BUG, "creation time \"%s\" is not YYYYMMDDHHMMSS",
				   identity->created_datetime);
	return STATUS_OK;
}

enum status_code evidence_write_common(struct dataset *ds, const struct evidence *evidence,
				       const char *sop_class_uid, const char *purpose,
				       const char *modality, int series_number,
				       const char *series_description, struct status *st)
{
	struct writer w = writer_begin(ds, st);

	w.code = check(evidence, st);
	if (w.code != STATUS_OK)
		return w.code;
	write_sop_common(&w, evidence, sop_class_uid, purpose);
	write_patient(&w, evidence->study_header);
	write_study(&w, evidence->study_header);
	write_series(&w, evidence, purpose, modality, series_number, series_description);
	write_equipment(&w, evidence);
	return w.code;
}

const struct evidence_series *evidence_find(const struct evidence *evidence,
					    const char *sop_instance_uid)
{
	for (int s = 0; s < evidence->n_series; s++)
		for (int i = 0; i < evidence->series[s].n_instances; i++)
			if (strcmp(evidence->series[s].instances[i].sop_instance_uid,
				   sop_instance_uid) == 0)
				return &evidence->series[s];
	return NULL;
}

/* One series as item of a sequence of series. */
static void write_series_references(struct writer *w, struct dataset_path sequence, uint32_t item,
				    uint32_t instance_tag, const struct evidence_series *series)
{
	struct dataset_path instances = writer_below(sequence, item, instance_tag);

	writer_string(w, writer_below(sequence, item, TAG_SeriesInstanceUID),
		      series->series_instance_uid);
	for (int i = 0; i < series->n_instances; i++)
		writer_reference(w, instances, (uint32_t)i, &series->instances[i]);
}

/* Every series of one study; returns how many there were. */
static uint32_t write_study_references(struct writer *w, struct dataset_path series_sequence,
				       uint32_t instance_tag, const struct evidence *evidence,
				       const char *study_uid)
{
	uint32_t written = 0;

	for (int s = 0; s < evidence->n_series; s++) {
		const struct evidence_series *series = &evidence->series[s];
		if (series->n_instances > 0 && strcmp(series->study_instance_uid, study_uid) == 0)
			write_series_references(w, series_sequence, written++, instance_tag,
						series);
	}
	return written;
}

/* True for the first series of a study other than the result's. */
static bool starts_other_study(const struct evidence *evidence, int index,
			       const char *own_study_uid)
{
	const char *study_uid = evidence->series[index].study_instance_uid;

	if (evidence->series[index].n_instances == 0 || strcmp(study_uid, own_study_uid) == 0)
		return false;
	for (int s = 0; s < index; s++)
		if (evidence->series[s].n_instances > 0 &&
		    strcmp(evidence->series[s].study_instance_uid, study_uid) == 0)
			return false;
	return true;
}

static void write_other_studies(struct writer *w, uint32_t sequence_tag, uint32_t instance_tag,
				const struct evidence *evidence, const char *own_study_uid)
{
	uint32_t item = 0;

	for (int s = 0; s < evidence->n_series; s++) {
		const char *study_uid = evidence->series[s].study_instance_uid;
		if (!starts_other_study(evidence, s, own_study_uid))
			continue;
		writer_string(w, AT(sequence_tag, item, TAG_StudyInstanceUID), study_uid);
		write_study_references(w, AT(sequence_tag, item, TAG_ReferencedSeriesSequence),
				       instance_tag, evidence, study_uid);
		item++;
	}
}

enum status_code evidence_write_references(struct dataset *ds, const struct evidence *evidence,
					   struct status *st)
{
	struct writer w = writer_begin(ds, st);
	char study_uid[65];

	w.code = dataset_get_string(evidence->study_header, AT(TAG_StudyInstanceUID), study_uid,
				    sizeof study_uid, st);
	write_study_references(&w, AT(TAG_ReferencedSeriesSequence), TAG_ReferencedInstanceSequence,
			       evidence, study_uid);
	write_other_studies(&w, TAG_StudiesContainingOtherReferencedInstancesSequence,
			    TAG_ReferencedInstanceSequence, evidence, study_uid);
	return w.code;
}

enum status_code evidence_write_report_evidence(struct dataset *ds, const struct evidence *evidence,
						struct status *st)
{
	const uint32_t own = TAG_CurrentRequestedProcedureEvidenceSequence;
	struct writer w = writer_begin(ds, st);
	char study_uid[65];

	w.code = dataset_get_string(evidence->study_header, AT(TAG_StudyInstanceUID), study_uid,
				    sizeof study_uid, st);
	if (write_study_references(&w, AT(own, 0, TAG_ReferencedSeriesSequence),
				   TAG_ReferencedSOPSequence, evidence, study_uid) > 0)
		writer_string(&w, AT(own, 0, TAG_StudyInstanceUID), study_uid);
	write_other_studies(&w, TAG_PertinentOtherEvidenceSequence, TAG_ReferencedSOPSequence,
			    evidence, study_uid);
	return w.code;
}
