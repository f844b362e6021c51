#include "association_impl.hh"

#include <string>

static const char *const proposed_syntaxes[] = {UID_LittleEndianExplicitTransferSyntax};

static enum status_code propose(T_ASC_Parameters *params, const struct association_peer *peer,
				const char *const *sop_class_uids, int count, struct status *st)
{
	std::string address = std::string(peer->host) + ":" + std::to_string(peer->port);
	const char **syntaxes = const_cast<const char **>(proposed_syntaxes);
	OFCondition condition = ASC_setAPTitles(params, peer->calling_ae, peer->called_ae, nullptr);
	if (condition.good())
		condition = ASC_setPresentationAddresses(params, OFStandard::getHostName().c_str(),
							 address.c_str());
	T_ASC_PresentationContextID id = 1;
	if (condition.good())
		condition =
		    ASC_addPresentationContext(params, id, UID_VerificationSOPClass, syntaxes, 1);
	for (int i = 0; i < count && condition.good() && i < 127; i++) {
		id = static_cast<T_ASC_PresentationContextID>(id + 2);
		condition = ASC_addPresentationContext(params, id, sop_class_uids[i], syntaxes, 1);
	}
	return condition.good()
		   ? STATUS_OK
		   : status_fail(st, STATUS_BUG, "association request: %s", condition.text());
}

/* A rejection names its reason; only a permanent one is for good. */
static enum status_code refused(struct association *a, const struct association_peer *peer,
				const OFCondition &condition, struct status *st)
{
	if (condition != DUL_ASSOCIATIONREJECTED)
		return status_fail(st, STATUS_RETRY, "no association with %s at %s port %d: %s",
				   peer->called_ae, peer->host, peer->port,
				   a->wire.fault != nullptr ? a->wire.fault : condition.text());
	T_ASC_RejectParameters rejection;
	ASC_getRejectParameters(a->dcmtk->params, &rejection);
	OFString words;
	ASC_printRejectParameters(words, &rejection);
	for (char &c : words)
		c = c == '\n' ? ' ' : c;
	return status_fail(
	    st, rejection.result == ASC_RESULT_REJECTEDPERMANENT ? STATUS_REFUSE : STATUS_RETRY,
	    "%s at %s port %d rejects the association: %s", peer->called_ae, peer->host, peer->port,
	    words.c_str());
}

static enum status_code request(struct association *a, const struct association_peer *peer,
				const char *const *sop_class_uids, int count, struct status *st)
{
	dcmConnectionTimeout.set(static_cast<Sint32>(a->wire.limits.request_timeout_s));
	enum status_code code = association_start_network(a, NET_REQUESTOR, st);
	if (code != STATUS_OK)
		return code;
	T_ASC_Parameters *params = nullptr;
	OFCondition condition = ASC_createAssociationParameters(&params, ASSOCIATION_MAX_PDU);
	if (condition.bad())
		return status_fail(st, STATUS_RETRY, "association request: %s", condition.text());
	code = propose(params, peer, sop_class_uids, count, st);
	if (code != STATUS_OK) {
		ASC_destroyAssociationParameters(&params);
		return code;
	}
	condition = ASC_requestAssociation(a->network, params, &a->dcmtk);
	if (condition.bad()) {
		if (a->dcmtk == nullptr) {
			ASC_destroyAssociationParameters(&params);
			return status_fail(st, STATUS_RETRY, "no association with %s: %s",
					   peer->called_ae, condition.text());
		}
		return refused(a, peer, condition, st);
	}
	a->open = true;
	a->wire.requested = true;
	return STATUS_OK;
}

extern "C" enum status_code association_open(struct association **association,
					     const struct association_peer *peer,
					     const char *const *sop_class_uids, int count,
					     const struct association_limits *limits,
					     struct status *st)
{
	struct association *a = new (std::nothrow) struct association(limits);
	if (a == nullptr)
		return status_fail(st, STATUS_RETRY, "association: out of memory");
	OFStandard::strlcpy(a->calling_ae, peer->calling_ae, sizeof a->calling_ae);
	OFStandard::strlcpy(a->called_ae, peer->called_ae, sizeof a->called_ae);
	enum status_code code =
	    guarded(st, [&] { return request(a, peer, sop_class_uids, count, st); });
	if (code == STATUS_OK)
		*association = a;
	else
		association_free(a);
	return code;
}

extern "C" enum status_code association_echo(struct association *association, struct status *st)
{
	struct association *a = association;
	return guarded(st, [&] {
		DIC_US answer = 0;
		DcmDataset *detail = nullptr;
		OFCondition condition = DIMSE_echoUser(a->dcmtk, a->dcmtk->nextMsgID++,
						       DIMSE_BLOCKING, 0, &answer, &detail);
		delete detail;
		if (condition.bad())
			return association_broken(a, "C-ECHO", condition, STATUS_RETRY, st);
		return answer == STATUS_Success
			   ? STATUS_OK
			   : status_fail(st, STATUS_RETRY, "C-ECHO answered with %04x", answer);
	});
}

static enum status_code store(struct association *a, DcmDataset *dataset, const char *sop_class_uid,
			      const char *sop_instance_uid, uint16_t *dimse_status,
			      char comment[65], struct status *st)
{
	T_ASC_PresentationContextID context =
	    ASC_findAcceptedPresentationContextID(a->dcmtk, sop_class_uid);
	if (context == 0)
		return status_fail(st, STATUS_REFUSE,
				   "%s does not accept SOP class %s in Explicit VR Little Endian",
				   a->called_ae, sop_class_uid);
	T_DIMSE_C_StoreRQ request = {};
	request.MessageID = a->dcmtk->nextMsgID++;
	OFStandard::strlcpy(request.AffectedSOPClassUID, sop_class_uid,
			    sizeof request.AffectedSOPClassUID);
	OFStandard::strlcpy(request.AffectedSOPInstanceUID, sop_instance_uid,
			    sizeof request.AffectedSOPInstanceUID);
	request.DataSetType = DIMSE_DATASET_PRESENT;
	request.Priority = DIMSE_PRIORITY_MEDIUM;
	T_DIMSE_C_StoreRSP response = {};
	DcmDataset *detail = nullptr;
	OFCondition condition =
	    DIMSE_storeUser(a->dcmtk, context, &request, nullptr, dataset, nullptr, nullptr,
			    DIMSE_BLOCKING, 0, &response, &detail);
	if (detail != nullptr) {
		OFString words;
		if (detail->findAndGetOFString(DCM_ErrorComment, words).good())
			OFStandard::strlcpy(comment, words.c_str(), 65);
		delete detail;
	}
	if (condition.bad())
		return association_broken(a, "C-STORE", condition, STATUS_RETRY, st);
	*dimse_status = response.DimseStatus;
	return STATUS_OK;
}

extern "C" enum status_code association_store_file(struct association *association,
						   const char *path, const char *sop_class_uid,
						   const char *sop_instance_uid,
						   uint16_t *dimse_status, char comment[65],
						   struct status *st)
{
	struct association *a = association;
	comment[0] = '\0';
	return guarded(st, [&] {
		DcmFileFormat file;
		OFCondition condition = file.loadFile(path);
		if (condition.bad())
			return status_fail(st, STATUS_REFUSE, "cannot read %s: %s", path,
					   condition.text());
		return store(a, file.getDataset(), sop_class_uid, sop_instance_uid, dimse_status,
			     comment, st);
	});
}

extern "C" void association_release(struct association *association)
{
	if (association == nullptr || !association->open)
		return;
	struct status ignored = STATUS_INIT;
	(void)guarded(&ignored, [&] {
		if (ASC_releaseAssociation(association->dcmtk).good())
			association->open = false;
		return STATUS_OK;
	});
}
