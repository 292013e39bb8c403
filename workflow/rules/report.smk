# In:  values, figures, ledger, report/*.  Out: results/report/report.{html,tex,pdf}, the verdict on the run, the hand-in


rule report_source:
    input:
        stage_inputs("results/report/report.md"),
    output:
        source="results/report/report.md",
    params:
        command=stage_command("results/report/report.md"),
    log:
        "results/report/report.md.log",
    group: batch_of("results/report/report.md")
    priority: priority_of("results/report/report.md")
    resources:
        mem_mb=memory_of("results/report/report.md"),
        runtime=minutes_of("results/report/report.md"),
        gpu=gpus_of("results/report/report.md"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule report_html:
    input:
        stage_inputs("results/report/report.html"),
    output:
        html=report(
            "results/report/report.html",
            caption="../../report/workflow/report.rst",
            category="Report and claims",
            labels={"document": "report", "format": "HTML"},
        ),
    params:
        command=stage_command("results/report/report.html"),
    log:
        "results/report/report.html.log",
    group: batch_of("results/report/report.html")
    priority: priority_of("results/report/report.html")
    resources:
        mem_mb=memory_of("results/report/report.html"),
        runtime=minutes_of("results/report/report.html"),
        gpu=gpus_of("results/report/report.html"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule report_tex:
    input:
        stage_inputs("results/report/report.tex"),
    output:
        tex="results/report/report.tex",
    params:
        command=stage_command("results/report/report.tex"),
    log:
        "results/report/report.tex.log",
    group: batch_of("results/report/report.tex")
    priority: priority_of("results/report/report.tex")
    resources:
        mem_mb=memory_of("results/report/report.tex"),
        runtime=minutes_of("results/report/report.tex"),
        gpu=gpus_of("results/report/report.tex"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule report_pdf:
    input:
        stage_inputs("results/report/report.pdf"),
    output:
        pdf="results/report/report.pdf",
    params:
        command=stage_command("results/report/report.pdf"),
    log:
        "results/report/report.pdf.log",
    group: batch_of("results/report/report.pdf")
    priority: priority_of("results/report/report.pdf")
    resources:
        mem_mb=memory_of("results/report/report.pdf"),
        runtime=minutes_of("results/report/report.pdf"),
        gpu=gpus_of("results/report/report.pdf"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule verdict:
    input:
        stage_inputs("results/report/verdict.txt"),
    output:
        verdict="results/report/verdict.txt",
    params:
        command=stage_command("results/report/verdict.txt"),
    log:
        "results/report/verdict.txt.log",
    group: batch_of("results/report/verdict.txt")
    priority: priority_of("results/report/verdict.txt")
    resources:
        mem_mb=memory_of("results/report/verdict.txt"),
        runtime=minutes_of("results/report/verdict.txt"),
        gpu=gpus_of("results/report/verdict.txt"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule report:
    input:
        "results/report/report.html",
        "results/report/report.tex",
        "results/report/report.pdf",
        "results/report/verdict.txt",
        "results/claims.html",


rule verify:
    input:
        rules.report.input,
    params:
        files=[str(file) for file in workflow.overwrite_configfiles],
    log:
        "results/report/verify.log",
    conda:
        "../../envs/environment.yaml"
    shell:
        "python -m descent verify --configfile {params.files:q} 2>&1 | tee {log:q}"


# No output, so that it is written anew whenever it is asked for: it contains every source file and record.
rule submission:
    input:
        rules.report.input,
    params:
        files=[str(file) for file in workflow.overwrite_configfiles],
    log:
        "results/submission.log",
    conda:
        "../../envs/environment.yaml"
    shell:
        "python -m descent submission results/submission.zip --configfile {params.files:q} 2>&1 | tee {log:q}"
