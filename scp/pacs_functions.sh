# pacs_functions.sh - a PACS (Orthanc) and a node on loopback, for the quickstart and the tests. Sourced, not run.
#
# Orthanc and DCMTK's servers listen on every address; a network namespace of their own, with nothing in it but the
# loopback interface, is what keeps them on loopback. Every process started here is noted in $started and ended by
# stop_all, by its pid.

started=""

# Re-runs the calling script inside its own network namespace: loopback_only "$0" "$@"
loopback_only() {
	if [ "${HOLMIA_LOOPBACK:-}" = yes ]; then
		ip link set lo up
		return 0
	fi
	export HOLMIA_LOOPBACK=yes
	if [ "$(id -u)" -eq 0 ]; then
		exec unshare --net -- "$@"
	elif unshare --net --map-root-user true 2>/dev/null; then
		exec unshare --net --map-root-user -- "$@"
	fi
	echo "This needs a network namespace of its own, so that the PACS listens on loopback only:" >&2
	echo "run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)." >&2
	exit 2
}

stop_all() {
	local pid
	for pid in $started; do kill -TERM "$pid" 2>/dev/null; done
	for pid in $started; do
		for _ in $(seq 100); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null && echo "process $pid did not end on SIGTERM" >&2
	done
	started=""
	return 0
}

# wait_for SECONDS WORDS COMMAND...: until the command succeeds
wait_for() {
	local seconds=$1 words=$2 end
	shift 2
	end=$(($(date +%s) + seconds))
	until "$@" >/dev/null 2>&1; do
		if [ "$(date +%s)" -ge "$end" ]; then
			echo "gave up after $seconds s waiting for $words" >&2
			return 1
		fi
		sleep 0.1
	done
}

# start_pacs DIR DICOM_PORT HTTP_PORT NODE_PORT [STABLE_AGE]: Orthanc with an auto-routing rule to AE HOLMIA
start_pacs() {
	local dir=$1 dicom=$2 http=$3 node=$4 stable=${5:-1}
	mkdir -p "$dir/db"
	cat >"$dir/orthanc.json" <<-JSON
	{
	  "Name" : "TESTPACS", "DicomAet" : "TESTPACS", "DicomPort" : $dicom,
	  "StorageDirectory" : "$dir/db", "IndexDirectory" : "$dir/db",
	  "HttpPort" : $http, "RemoteAccessAllowed" : false, "AuthenticationEnabled" : false,
	  "Plugins" : [], "LuaScripts" : [ "$dir/route.lua" ], "StableAge" : $stable,
	  "DicomCheckCalledAet" : true, "DicomAlwaysAllowStore" : true, "DicomAlwaysAllowEcho" : true,
	  "DicomAssociationCloseDelay" : 1, "OverwriteInstances" : false,
	  "DicomModalities" : { "holmia" : { "AET" : "HOLMIA", "Host" : "127.0.0.1", "Port" : $node } }
	}
	JSON
	# The rule a PACS administrator writes: every stable MR series and contour set goes to the node, unless it came from it.
	cat >"$dir/route.lua" <<-'LUA'
	function OnStableSeries(series, tags, metadata)
	  local modality = tags['Modality']
	  if (modality == 'MR' or modality == 'RTSTRUCT') and metadata['RemoteAET'] ~= 'HOLMIA' then
	    RestApiPost('/modalities/holmia/store', DumpJson({ Resources = { series }, Asynchronous = true }, true))
	  end
	end
	LUA
	TCP_NODELAY=1 Orthanc "$dir/orthanc.json" >"$dir/orthanc.log" 2>&1 &
	started="$started $!"
	wait_for 30 "the PACS to start (see $dir/orthanc.log)" curl -sf "http://127.0.0.1:$http/system"
}

# start_node BINARY CONFIG LOG PORT; node_pid is set
start_node() {
	"$1" run -c "$2" >"$3" 2>&1 &
	node_pid=$!
	started="$started $node_pid"
	wait_for 20 "the node to listen (see $3)" echoscu -aec HOLMIA 127.0.0.1 "$4"
}

# node_config EXAMPLE TO PORT PACS_PORT SPOOL: the example configuration with these ports and this spool
node_config() {
	sed -e "s|port=\"11112\"|port=\"$3\"|" -e "s|port=\"4242\"|port=\"$4\"|" \
		-e "s|spool=\"[^\"]*\"|spool=\"$5\"|" "$1" >"$2"
}
