// The canary in Go, on the bindings as they are generated.

package export_charmhost_entry_entry

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	actions "wit_component/charmhost_actions_actions"
	config "wit_component/charmhost_config_config"
	context "wit_component/charmhost_context_context"
	crash "wit_component/charmhost_crash_crash"
	entry "wit_component/charmhost_entry_entry"
	errors "wit_component/charmhost_errors_errors"
	framework "wit_component/charmhost_framework_framework"
	hookTools "wit_component/charmhost_hook_tools_hook_tools"
	log "wit_component/charmhost_log_log"
	pebbleErrors "wit_component/charmhost_pebble_errors_pebble_errors"
	pebble "wit_component/charmhost_pebble_pebble"
	ports "wit_component/charmhost_ports_ports"
	readiness "wit_component/charmhost_readiness_readiness"
	relations "wit_component/charmhost_relations_relations"
	secrets "wit_component/charmhost_secrets_secrets"
	status "wit_component/charmhost_status_status"
	store "wit_component/charmhost_store_store"
	storedState "wit_component/charmhost_stored_state_stored_state"
	unit "wit_component/charmhost_unit_unit"

	memory "go.bytecodealliance.org/pkg/wit/runtime"
	wit "go.bytecodealliance.org/pkg/wit/types"
)

type (
	delivery = framework.Delivery
	eventKey = framework.EventKey
	observer = framework.Observer
	process  = pebble.Process
	pollable = readiness.Pollable
	label    = wit.Tuple2[string, string]
)

const (
	library = "Canary/Lib[a]"
	// Bytes that are written or read at once.
	chunkSize = 64 * 1024
	// After how many bytes memory is freed.
	collectedSize = 4 * 1024 * 1024
	// Length of the pattern that is sent to `cat`.
	period = 251
	layer  = "services: {idle: {override: replace, command: sleep 600}}"
)

var ready = eventKey{Source: library, Name: "ready"}

func info(format string, values ...any) {
	log.Write(log.Level_Info, fmt.Sprintf(format, values...))
}

// A collection that starts by itself would start while the host allocates what a
// call returns, and reads the clock at its end: a component must not call the host
// then.
func init() {
	debug.SetGCPercent(-1)
}

// Frees what calls have returned: the bindings never do.
func collect() {
	memory.Unpin()
	runtime.GC()
}

// An error of the host that ends the dispatch.
type failed string

// Returns what a call returned, or ends the dispatch.
func must[T any, E any](result wit.Result[T, E]) T {
	if result.IsErr() {
		panic(failed(fmt.Sprintf("%+v", result.Err())))
	}
	return result.Ok()
}

var (
	errorCases = map[uint8]string{
		errors.Error_NotFound:     "notfound",
		errors.Error_Denied:       "denied",
		errors.Error_InvalidInput: "invalidinput",
	}
	pebbleErrorCases = map[uint8]string{
		pebbleErrors.PebbleError_UnknownContainer: "unknowncontainer",
		pebbleErrors.PebbleError_Path:             "path",
	}
)

// The case of the error that a call ends with.
func errorOf[T any, E interface{ Tag() uint8 }](cases map[uint8]string, result wit.Result[T, E]) string {
	if result.IsOk() {
		return "none"
	}
	return cases[result.Err().Tag()]
}

func onConfigChanged(delivery) wit.Option[string] {
	greeting := must(config.Get("greeting")).Some().String()
	count := must(config.Get("count")).Some().Integer()
	ratio := must(config.Get("ratio")).Some().Float()
	info("config %s %d %v", greeting, count, ratio)
	info("missing %s", errorOf(errorCases, config.Get("missing")))
	calls, err := strconv.Atoi(must(storedState.Load("Canary", "calls")).SomeOr("0"))
	if err != nil {
		panic(err)
	}
	calls++
	must(storedState.Save("Canary", "calls", strconv.Itoa(calls)))
	info("calls %d", calls)
	snapshot := fmt.Sprintf(`{"n": %d}`, count)
	for _, following := range must(framework.Emit(ready, snapshot)) {
		deliver(following)
	}
	numbers := ports.PortNumbers{First: 8080, Last: 8080}
	must(ports.Set([]ports.Port{ports.MakePortTcp(numbers)}))
	for _, port := range must(ports.Opened()) {
		info("port %d-%d", port.Tcp().First, port.Tcp().Last)
	}
	if calls == 1 {
		return wit.Some("once more")
	}
	return wit.None[string]()
}

func onReady(delivery delivery) {
	var data struct{ N int64 }
	if err := json.Unmarshal([]byte(delivery.Event.Custom().Snapshot), &data); err != nil {
		panic(err)
	}
	info("ready %d of %s", data.N, delivery.Observer.Event.Source)
}

func onDbRelationChanged(delivery delivery) {
	event := delivery.Event.RelationChanged()
	info("changed %s %d %s %s", event.Endpoint, event.RelationId, event.App.Some(), event.Unit.SomeOr("none"))
	for _, relation := range must(relations.List(event.Endpoint)) {
		info("relation %d %s %s", relation.Id, relation.App.Some(), strings.Join(relation.Units, " "))
		owner := relations.MakeDatabagOwnerApp(relation.App.Some())
		for _, item := range must(relations.Read(event.Endpoint, relation.Id, owner)) {
			info("data %s=%s", item.Key, item.Value)
			if item.Key == "secret" {
				readSecret(item.Value)
			}
		}
		ours := addSecret()
		reference := secrets.MakeSecretReferenceId(ours)
		must(secrets.Grant(reference, relation.Id, wit.None[string]()))
		write := func(databag relations.OwnDatabag, key, value string) {
			change := relations.DatabagChange{Key: key, Value: wit.Some(value)}
			must(relations.Write(
				event.Endpoint, relation.Id, databag, []relations.DatabagChange{change},
			))
		}
		write(relations.OwnDatabag_App, "token", ours)
		write(relations.OwnDatabag_Unit, "seen", "yes")
	}
}

func readSecret(id string) {
	labelled := secrets.MakeSecretReferenceLabelled(
		secrets.LabelledSecret{Id: id, Label: "theirs"},
	)
	for _, item := range must(secrets.GetContent(labelled, secrets.ContentMode_Current)) {
		info("secret %s of %d", item.F0, len(item.F1))
	}
}

func addSecret() string {
	content := []label{{F0: "first", F1: "one"}, {F0: "second", F1: "three"}}
	metadata := secrets.SecretMetadata{
		Label:  wit.Some("ours"),
		Expire: wit.Some(4102444800.0),
		Rotate: wit.Some(secrets.Rotation_Monthly),
	}
	return must(secrets.Add(secrets.SecretOwner_App, content, metadata))
}

func onSecretChanged(delivery delivery) {
	id := delivery.Event.SecretChanged().Id
	secret := secrets.MakeSecretReferenceLabel("theirs")
	for _, mode := range []secrets.ContentMode{
		secrets.ContentMode_Current,
		secrets.ContentMode_Refresh,
	} {
		for _, item := range must(secrets.GetContent(secret, mode)) {
			info("%s %s of %d", id, item.F0, len(item.F1))
		}
	}
	ours := must(secrets.GetInfo(secrets.MakeSecretReferenceLabel("ours")))
	monthly := ours.Rotation.SomeOr(math.MaxUint8) == secrets.Rotation_Monthly
	info("ours %d %v %d", ours.Revision, monthly, int64(ours.Expires.SomeOr(0)))
	nobodys := secrets.MakeSecretReferenceLabel("nobodys")
	info("error %s", errorOf(errorCases, secrets.GetInfo(nobodys)))
}

func onAppPebbleReady(delivery delivery) {
	container := delivery.Event.PebbleReady().Container
	files(container)
	services(container)
	commands(container)
	info("error %s", errorOf(pebbleErrorCases, pebble.GetSystemInfo("nowhere")))
}

func files(container string) {
	path := "/srv/canary/data"
	data := pattern(3000)
	options := pebble.FileOptions{Permissions: wit.Some[uint32](0o640), MakeParents: true}
	writer := must(pebble.Push(container, path, options))
	for written := 0; written < len(data); {
		written += int(must(writer.Write(data[written:])))
	}
	must(writer.Close())
	about := must(pebble.Stat(container, path))
	info("stat %d %d %s", int64(about.Size.SomeOr(0)), about.Permissions, about.Name)
	reader := must(pebble.Pull(container, path))
	defer reader.Drop()
	var pulled []byte
	for {
		chunk := must(reader.Read(1000))
		if len(chunk) == 0 {
			break
		}
		pulled = append(pulled, chunk...)
	}
	info("pulled %d %v", len(pulled), string(pulled) == string(data))
	for _, file := range must(pebble.PullMany(container, []string{path, "/nowhere"})) {
		if file.Content.IsOk() {
			info("file %s %d", file.Path, len(file.Content.Ok()))
		} else {
			kind := file.Content.Err().Kind
			info("file %s missing %v", file.Path, kind == pebbleErrors.PathErrorKind_NotFound)
		}
	}
	info("error %s", errorOf(pebbleErrorCases, pebble.Pull(container, "/nowhere")))
}

func services(container string) {
	must(pebble.AddLayer(container, "canary", layer, true))
	id := must(pebble.StartServices(container, []string{"idle"}, wit.Some(20.0)))
	for _, service := range must(pebble.Services(container, nil)) {
		info("service %s %v", service.Name, service.Current.Tag() == pebble.ServiceStatus_Active)
	}
	change := must(pebble.Change(container, id))
	ended := change.ReadyTime.SomeOr(0) >= change.SpawnTime
	info("change %s %s %d %v", change.Kind, change.Status, len(change.Tasks), ended)
	must(pebble.StopServices(container, []string{"idle"}, wit.None[float64]()))
}

// A command without options.
func exec(container string, command []string, environment []label) wit.Result[*process, pebbleErrors.PebbleError] {
	options := pebble.ExecOptions{Environment: environment, Timeout: wit.Some(50.0)}
	return pebble.Exec(container, command, options)
}

func commands(container string) {
	script := "echo $WORD; echo hiss >&2; exit 3"
	process := must(exec(container, []string{"sh", "-c", script}, []label{{F0: "WORD", F1: "tweet"}}))
	output := must(process.WaitOutput(1000))
	stdout, stderr := strings.TrimSpace(string(output.Stdout)), strings.TrimSpace(string(output.Stderr))
	info("exec %d %s %s %v", output.ExitCode, stdout, stderr, output.StdoutTruncated)
	info("api %d", exec(container, []string{"no-such-program"}, nil).Err().Api().Status)
}

func onCopyAction(delivery delivery) {
	var params struct{ Mib int }
	if err := json.Unmarshal([]byte(must(actions.Params())), &params); err != nil {
		panic(err)
	}
	must(actions.Log(fmt.Sprintf("%s %d", delivery.Event.Action().Name, params.Mib)))
	process := must(exec("app", []string{"cat"}, nil))
	bytes, intact := feed(process, params.Mib<<20)
	code := must(process.Wait())
	must(actions.SetResults(
		fmt.Sprintf(`{"bytes": %d, "exit-code": %d, "intact": %v}`, bytes, code, intact),
	))
}

// Bytes that repeat after `period`.
func pattern(length int) []byte {
	data := make([]byte, length)
	for index := range data {
		data[index] = byte(index % period)
	}
	return data
}

// Feeds a command while it prints. Returns how much it printed, and whether that
// is what it was fed.
func feed(process *process, total int) (read int, intact bool) {
	data := pattern(chunkSize + period)
	stdout := process.Subscribe(pebble.StandardStream_Stdout)
	stdin := process.Subscribe(pebble.StandardStream_Stdin)
	defer stdout.Drop()
	defer stdin.Drop()
	sent, collected, intact := 0, 0, true
	for {
		if read >= collected+collectedSize {
			collect()
			collected = read
		}
		sources := []*pollable{stdout}
		if sent < total {
			sources = append(sources, stdin)
		}
		indices := readiness.Poll(sources, wit.Some(30.0))
		if len(indices) == 0 {
			panic(fmt.Sprintf("nothing is ready after %d and %d", sent, read))
		}
		for _, index := range indices {
			if index == 1 {
				start := sent % period
				sent += int(must(process.WriteStdin(data[start : start+min(chunkSize, total-sent)])))
				if sent == total {
					must(process.CloseStdin())
				}
				continue
			}
			chunk := must(process.ReadStdout(chunkSize))
			if len(chunk) == 0 {
				return read, intact
			}
			intact = intact && int(chunk[0]) == read%period
			read += len(chunk)
			intact = intact && int(chunk[len(chunk)-1]) == (read-1)%period
		}
	}
}

func onUpdateStatus(delivery delivery) {
	if delivery.Deferred.IsNone() {
		info("update-status new")
	} else {
		deferred := delivery.Deferred.Some()
		info("update-status %d %s", deferred.Count, deferred.Reason)
	}
	info("error %s", errorOf(errorCases, relations.List("nowhere")))
	run := hookTools.Run
	info("error %s", errorOf(errorCases, run("no-such-tool", nil, wit.None[[]uint8]())))
	misspelt := observer{Event: eventKey{Source: "Canary", Name: "strat"}, Path: "Canary", Method: "x"}
	info("error %s", errorOf(errorCases, framework.Observe(misspelt)))
	must(store.SaveSnapshot("Canary/raw", []byte{0, 1, 255}))
	raw := must(store.LoadSnapshot("Canary/raw")).Some()
	info("raw [%d, %d, %d]", raw[0], raw[1], raw[2])
	output := must(run("is-leader", []string{"--format=json"}, wit.None[[]uint8]()))
	printed := strings.TrimSpace(string(output.Stdout))
	info("tool %d %s %v", output.ExitCode, printed, must(unit.IsLeader()))
}

func onCollectUnitStatus(delivery) {
	must(framework.CollectStatus(status.SettableStatus{
		Name:    status.SettableStatusName_Active,
		Message: "sings",
	}))
}

// Wraps a handler that does not defer.
func handled(handler func(delivery)) func(delivery) wit.Option[string] {
	return func(delivery delivery) wit.Option[string] {
		handler(delivery)
		return wit.None[string]()
	}
}

var handlers map[string]func(delivery) wit.Option[string]

func init() {
	handlers = map[string]func(delivery) wit.Option[string]{
		"on_config_changed":      onConfigChanged,
		"on_db_relation_changed": handled(onDbRelationChanged),
		"on_secret_changed":      handled(onSecretChanged),
		"on_app_pebble_ready":    handled(onAppPebbleReady),
		"on_copy_action":         handled(onCopyAction),
		"on_update_status":       handled(onUpdateStatus),
		"on_ready":               handled(onReady),
		"on_collect_unit_status": handled(onCollectUnitStatus),
	}
}

var observed = []eventKey{
	{Source: "Canary", Name: "config_changed"},
	{Source: "Canary", Name: "db_relation_changed"},
	{Source: "Canary", Name: "secret_changed"},
	{Source: "Canary", Name: "app_pebble_ready"},
	{Source: "Canary", Name: "copy_action"},
	{Source: "Canary", Name: "update_status"},
	ready,
	{Source: "Canary", Name: "collect_unit_status"},
}

func deliver(delivery delivery) {
	settlement := framework.MakeSettlementHandled()
	if reason := handlers[delivery.Observer.Method](delivery); reason.IsSome() {
		settlement = framework.MakeSettlementDeferred(reason.Some())
	}
	must(framework.Done(delivery.Id, settlement))
}

func Run() (outcome entry.Outcome) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case failed:
			failure := crash.Failure{Kind: "canary", Message: string(cause)}
			outcome = entry.MakeOutcomeFailed(failure)
		default:
			panic(cause)
		}
	}()
	about := context.Get()
	info("%s %s", about.UnitName, about.HookName.SomeOr("no hook"))
	must(framework.Define(ready))
	for _, event := range observed {
		observer := observer{Event: event, Path: "Canary", Method: "on_" + event.Name}
		must(framework.Observe(observer))
	}
	for {
		next := must(framework.Next())
		if next.IsNone() {
			return entry.MakeOutcomeCompleted()
		}
		deliver(next.Some())
	}
}
