"""The example for Kubernetes is what the cluster would accept in a restricted namespace, and what `setup` says."""
import os
import pathlib
import subprocess

import pytest

yaml = pytest.importorskip("yaml", reason="python3-yaml is missing")
TOP = pathlib.Path(__file__).resolve().parents[2]
DONJON = pathlib.Path(os.environ.get("DONJON_BUILD", TOP / "build")) / "donjon"
OBJECTS = {item["kind"]: item for item in yaml.safe_load_all((TOP / "examples/kubernetes/restricted.yaml").read_text())}


@pytest.mark.skipif(not DONJON.exists(), reason="donjon is not built")
def test_the_runtime_class_is_the_one_that_setup_prints():
    printed = subprocess.run([DONJON, "setup", "kubernetes"], capture_output=True, text=True, check=True).stdout
    assert OBJECTS["RuntimeClass"] == yaml.safe_load(printed)
    assert OBJECTS["Pod"]["spec"]["runtimeClassName"] == OBJECTS["RuntimeClass"]["metadata"]["name"]


def test_the_namespace_enforces_what_the_pod_keeps_to():
    """Each rule of the Pod Security Standard "restricted"."""
    namespace, pod = OBJECTS["Namespace"]["metadata"], OBJECTS["Pod"]
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["metadata"]["namespace"] == namespace["name"]
    spec = pod["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert all(set(volume) - {"name"} <= {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral",
                                          "persistentVolumeClaim", "projected", "secret"} for volume in spec["volumes"])
    assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] != 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False and not context.get("privileged")
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"] is True  # not demanded there, but what donjon makes of it
        assert not any("hostPort" in port for port in container["ports"])
