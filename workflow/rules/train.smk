# In:  results/data/*, settings of one run.  Out: metrics and kept weights of the run, all replicates


rule train:
    input:
        stage_inputs("results/{study}/runs/{run}/metrics.parquet"),
    output:
        metrics="results/{study}/runs/{run}/metrics.parquet",
        trajectory="results/{study}/runs/{run}/trajectory.parquet",
    params:
        command=stage_command("results/{study}/runs/{run}/metrics.parquet"),
    log:
        "results/{study}/runs/{run}/metrics.parquet.log",
    group: batch_of("results/{study}/runs/{run}/metrics.parquet")
    priority: priority_of("results/{study}/runs/{run}/metrics.parquet")
    resources:
        mem_mb=memory_of("results/{study}/runs/{run}/metrics.parquet"),
        runtime=minutes_of("results/{study}/runs/{run}/metrics.parquet"),
        gpu=gpus_of("results/{study}/runs/{run}/metrics.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN

